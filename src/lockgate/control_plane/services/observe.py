"""Looks at the machine for ``doctor``. The only I/O of the diagnosis; nothing here judges."""

import http.client
import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from lockgate.control_plane.services.client_files import (
    CLIENTS,
    Client,
    place_of,
    project_place_of,
    read_entries,
)
from lockgate.control_plane.services.deployment import Deployment, Machine, TlsFiles, UpstreamPlan
from lockgate.control_plane.services.doctor import (
    ClientSeen,
    DatedSeen,
    PathSeen,
    PortSeen,
    UpstreamSeen,
)
from lockgate.control_plane.services.refused import Refused
from lockgate.identity.certificate import certificates_in
from lockgate.identity.revocation import lists_in
from lockgate.model.reference import (
    LOCAL,
    Place,
    Reference,
    ReferenceBroken,
    parse_reference,
    resolve_reference,
)
from lockgate.store.secret_backends.local import EnvSecrets, FileSecrets

SECONDS = 3.0
_MAX_ANSWER = 65_536


def see_path(path: Path) -> PathSeen:
    try:
        found = path.stat()
    except OSError:
        return PathSeen(str(path), False)
    ours = os.name == "nt" or found.st_uid == os.geteuid()
    return PathSeen(str(path), True, 0 if os.name == "nt" else found.st_mode & 0o777, ours)


def see_secrets(deployment: Deployment) -> tuple[PathSeen, ...]:
    """Every file that holds a secret: those referenced and those of the deployment itself."""
    paths = {Path(name) for plan in deployment.upstreams for name in _secret_files(plan)}
    if deployment.tls is not None:
        paths.add(deployment.tls.key)
    if deployment.secrets_dir.is_dir():
        paths.update(p for p in deployment.secrets_dir.iterdir() if p.is_file())
    return tuple(see_path(path) for path in sorted(paths))


def see_dates(tls: TlsFiles | None) -> tuple[DatedSeen, ...]:
    """Until when the gate's certificate and its clients' revocation lists hold."""
    if tls is None:
        return ()
    found = [_see_date("certificate", tls.certificate, _certificate_until)]
    if tls.revoked is not None:
        found.append(_see_date("revocation", tls.revoked, _lists_until))
    return tuple(found)


def _see_date(name: str, file: Path, until: Callable[[bytes], datetime]) -> DatedSeen:
    try:
        return DatedSeen(name, str(file), int(until(file.read_bytes()).timestamp() * 1000))
    except OSError as error:
        return DatedSeen(name, str(file), 0, error.strerror or "error")
    except ValueError:
        return DatedSeen(name, str(file), 0, "not what it should be")


def _certificate_until(raw: bytes) -> datetime:
    return certificates_in(raw)[0].not_valid_after_utc


def _lists_until(raw: bytes) -> datetime:
    ends = [one.next_update_utc for one in lists_in(raw)]
    return min(end or datetime.fromtimestamp(0, UTC) for end in ends)


def see_port(host: str, port: int, seconds: float = SECONDS, *, tls: bool = False) -> PortSeen:
    """Who listens there. A wildcard address is asked through loopback."""
    address = f"{host}:{port}"
    bare = host.strip("[]")
    ask = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)  # noqa: S104
    connection = _connection(ask, port, seconds, tls)
    try:
        connection.connect()
    except ssl.SSLError:
        return PortSeen(address, True)
    except OSError:
        return PortSeen(address, False)
    try:
        connection.request("GET", "/health/ready", headers={"Host": f"localhost:{port}"})
        answer = connection.getresponse()
        return _recognise(address, answer.status, answer.read(_MAX_ANSWER))
    except (OSError, http.client.HTTPException):
        return PortSeen(address, True)
    finally:
        connection.close()


def _connection(host: str, port: int, seconds: float, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(host, port, timeout=seconds)
    # Nothing is told and nothing is believed but whether it is there: its certificate is for the
    # names that clients use, not for the address asked here.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)


def see_upstream(plan: UpstreamPlan, machine: Machine, seconds: float = SECONDS) -> UpstreamSeen:
    missing = tuple(_missing(plan, machine, "file"))
    unset = tuple(_missing(plan, machine, "env"))
    if missing or unset:
        return UpstreamSeen(plan.name, False, missing=missing, unset=unset)
    if not plan.argv:
        return _see_host(plan, machine, seconds)
    path = plan.env.get("PATH") or machine.environ.get("PATH", "")
    program = plan.argv[0]
    if os.sep in program:
        program = str(Path(plan.cwd or machine.folder) / program)
    found = shutil.which(program, path=path)
    detail = f"starts {found}." if found else f"The program {plan.argv[0]} is not on PATH."
    return UpstreamSeen(plan.name, found is not None, detail)


def see_clients(machine: Machine, gate: str) -> tuple[ClientSeen, ...]:
    """Clients whose files on this machine, or in the current directory, name servers."""
    found = []
    for path, client in {path: client for client, path in _places(machine)}.items():
        try:
            entries = read_entries(path)
        except Refused:
            continue  # absent, or without servers
        past = [e.name for e in entries if not e.leads_to(gate) and not e.disabled]
        connected = any(e.leads_to(gate) for e in entries)
        found.append(ClientSeen(client, str(path), tuple(past), connected))
    return tuple(found)


def _places(machine: Machine) -> Iterator[tuple[Client, Path]]:
    for client in CLIENTS:
        yield client, place_of(client, machine)
        if client != "claude-desktop":
            yield client, project_place_of(client, machine.folder)


def _secret_files(plan: UpstreamPlan) -> Iterator[str]:
    for text in (plan.url, *plan.env.values(), *plan.headers.values()):
        try:
            reference = parse_reference(text)
        except ReferenceBroken:
            continue  # said by _missing
        if reference is not None and reference.place == "file":
            yield reference.name


def _missing(plan: UpstreamPlan, machine: Machine, place: Place) -> Iterator[str]:
    for text in (plan.url, *plan.env.values(), *plan.headers.values()):
        try:
            reference = parse_reference(text)
            if reference is not None and reference.place == place:
                resolve_reference(text, lambda reference: _read(reference, machine))
        except ReferenceBroken as error:
            yield str(error)


def _read(reference: Reference, machine: Machine) -> str:
    kind = EnvSecrets(machine.environ) if reference.place == "env" else FileSecrets()
    return kind.read(reference).value


def _see_host(plan: UpstreamPlan, machine: Machine, seconds: float) -> UpstreamSeen:
    named = parse_reference(plan.url)
    if named and named.place not in LOCAL:
        detail = f"Its address is kept at {named}; `lockgate secrets probe` reads it."
        return UpstreamSeen(plan.name, True, detail)
    try:
        parts = urlsplit(resolve_reference(plan.url, lambda reference: _read(reference, machine)))
        host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
        with socket.create_connection((host, port), timeout=seconds):
            return UpstreamSeen(plan.name, True, f"{host}:{port} can be reached.")
    except (OSError, ValueError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return UpstreamSeen(plan.name, False, f"Its host cannot be reached ({why}).")


def _recognise(address: str, status: int, body: bytes) -> PortSeen:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return PortSeen(address, True)
    if not isinstance(said, dict) or said.get("service") != "lockgate":
        return PortSeen(address, True)
    broken = said.get("broken") or []
    detail = (
        [f"broken: {', '.join(map(str, broken))}"] if isinstance(broken, list) and broken else []
    )
    if said.get("configuration"):
        detail.append(f"configuration: {said['configuration']}")
    return PortSeen(address, True, True, status == 200, "; ".join(detail))
