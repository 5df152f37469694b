"""What is wrong with this deployment and how to mend it: pure, over what ``observe`` gathered."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from lockgate.control_plane.services.keys import DAY_MS
from lockgate.model import KeyRecord
from lockgate.model.problem import Problem

Grade = Literal["ok", "warn", "fail"]
_SOON_DAYS = 14


class Check(msgspec.Struct, frozen=True):
    """One answer. ``remedy`` is empty only where there is nothing to do."""

    name: str
    grade: Grade
    says: str
    remedy: str = ""


class PathSeen(msgspec.Struct, frozen=True):
    """A file or directory that must be private."""

    path: str
    exists: bool
    mode: int = 0
    """Permission bits."""
    ours: bool = True
    """Owned by the account that asks."""


class PortSeen(msgspec.Struct, frozen=True):
    address: str
    taken: bool
    lockgate: bool = False
    """A Lockgate answers there."""
    ready: bool = False
    detail: str = ""


class DatedSeen(msgspec.Struct, frozen=True):
    """The gate's certificate, or its clients' revocation lists."""

    name: str
    path: str
    until: int
    """Milliseconds since the Unix epoch; 0 where it cannot be read."""
    trouble: str = ""
    """Why not."""


class UpstreamSeen(msgspec.Struct, frozen=True):
    name: str
    found: bool
    """The program exists, or the host answers."""
    detail: str = ""
    missing: tuple[str, ...] = ()
    """Files that references name and that cannot be read, each with what to do."""
    unset: tuple[str, ...] = ()
    """The same for environment variables; the gateway's own environment may have them."""


class ClientSeen(msgspec.Struct, frozen=True):
    """An MCP client's file on this machine that names servers."""

    client: str
    path: str
    bypassing: tuple[str, ...]
    connected: bool


class Observations(msgspec.Struct, frozen=True):
    config: str
    now: int
    problems: tuple[Problem, ...] = ()
    policy_problems: tuple[Problem, ...] = ()
    policy_count: int = 0
    data_dir: PathSeen | None = None
    """None where the configuration could not be read; likewise below."""
    secrets: tuple[PathSeen, ...] = ()
    dates: tuple[DatedSeen, ...] = ()
    port: PortSeen | None = None
    upstreams: tuple[UpstreamSeen, ...] | None = None
    keys: tuple[KeyRecord, ...] | None = None
    store_trouble: str = ""
    clients: tuple[ClientSeen, ...] = ()


def diagnose(seen: Observations) -> tuple[Check, ...]:
    """Every check, in the order in which to mend."""
    found = [*_configuration(seen), *_policies(seen)]
    if seen.data_dir is not None:
        found += _private("data", seen.data_dir, made_at_start=True)
        for path in seen.secrets:
            found += _private("secrets", path)
    found += [_dated(one, seen.now) for one in seen.dates]
    if seen.port is not None:
        found.append(_port(seen.port))
    found += _upstreams(seen.upstreams)
    if seen.data_dir is not None:
        found += _keys(seen)
    return (*found, *_clients(seen.clients))


def worst(checks: Iterable[Check]) -> Grade:
    grades = {check.grade for check in checks}
    return "fail" if "fail" in grades else "warn" if "warn" in grades else "ok"


def _configuration(seen: Observations) -> list[Check]:
    if not seen.problems:
        return [Check("configuration", "ok", f"{seen.config} is valid.")]
    return [Check("configuration", "fail", str(p).split("\n")[0], p.remedy or
                  "Run `lockgate config check`.") for p in seen.problems]  # fmt: skip


def _policies(seen: Observations) -> list[Check]:
    if seen.policy_problems:
        return [Check("policies", "fail", str(p).split("\n")[0], p.remedy or "Correct the policy.")
                for p in seen.policy_problems]  # fmt: skip
    if seen.problems:
        return []
    if not seen.policy_count:
        return [Check("policies", "warn", "There is no policy, so nothing is permitted.",
                      "Write a .cedar file; `lockgate init` shows one.")]  # fmt: skip
    return [Check("policies", "ok", f"{seen.policy_count} file(s) are valid.")]


def _private(name: str, path: PathSeen, *, made_at_start: bool = False) -> list[Check]:
    if not path.exists:
        if made_at_start:
            return [Check(name, "ok", f"{path.path} will be made at the first start.")]
        return [Check(name, "fail", f"{path.path} does not exist.", "Put the secret there.")]
    if not path.ours:
        return [Check(name, "fail", f"{path.path} belongs to another account.",
                      "Run this as the gateway's user, or change the owner.")]  # fmt: skip
    if path.mode & 0o077:
        return [Check(name, "fail", f"Others may use {path.path} (mode {path.mode:03o}).",
                      f"chmod {'700' if made_at_start else '600'} {path.path}")]  # fmt: skip
    return [Check(name, "ok", f"{path.path} is private.")]


def _dated(one: DatedSeen, now: int) -> Check:
    if one.trouble:
        return Check(one.name, "fail", f"{one.path} cannot be used: {one.trouble}.",
                     "Put it there; see docs/certificates.md.")  # fmt: skip
    days = (one.until - now) // DAY_MS
    if days < 0:
        return Check(one.name, "fail", f"{one.path} is out of date: clients are refused.",
                     "Renew it, then send the gateway SIGHUP.")  # fmt: skip
    # Lists are made anew every few hours or days, certificates every few months.
    if one.name == "certificate" and days < _SOON_DAYS:
        return Check(one.name, "warn", f"{one.path} ends in {days} day(s).",
                     "Renew it, then send the gateway SIGHUP.")  # fmt: skip
    return Check(one.name, "ok", f"{one.path} holds for {days} day(s).")


def _port(port: PortSeen) -> Check:
    if not port.taken:
        return Check("port", "ok", f"{port.address} is free: the gateway does not run.")
    if not port.lockgate:
        return Check("port", "fail", f"Another program listens on {port.address}.",
                     "End it, or choose another listen.port.")  # fmt: skip
    if port.ready and not port.detail:
        return Check("port", "ok", f"A Lockgate runs on {port.address} and is ready.")
    state = "is ready" if port.ready else "is not ready"
    detail = f" ({port.detail})" if port.detail else ""
    return Check("port", "warn", f"A Lockgate runs on {port.address}, {state}{detail}.",
                 "Its log says why.")  # fmt: skip


def _upstreams(upstreams: Sequence[UpstreamSeen] | None) -> list[Check]:
    if upstreams is None:
        return []
    if not upstreams:
        return [Check("upstreams", "warn", "There is no upstream behind the gate.",
                      "`lockgate import FILE` takes those of a client.")]  # fmt: skip
    return [check for one in upstreams for check in _upstream(one)]


def _upstream(one: UpstreamSeen) -> list[Check]:
    name = f"upstream {one.name}"
    if one.missing:
        mend = "Mend the reference or what it names."
        return [Check(name, "fail", f"{why[:1].upper()}{why[1:]}.", mend) for why in one.missing]
    if one.unset:
        mend = "Set it where the gateway starts; this shell may have another environment."
        return [Check(name, "warn", f"{why[:1].upper()}{why[1:]}.", mend) for why in one.unset]
    if one.found:
        return [Check(name, "ok", one.detail)]
    mend = "Install it, start it, or correct the configuration."
    return [Check(name, "fail", one.detail, mend)]


def _keys(seen: Observations) -> list[Check]:
    if seen.store_trouble:
        return [
            Check(
                "keys", "fail", seen.store_trouble, "Mend the data directory or the database first."
            )
        ]
    make = "lockgate keys create --kind personal --owner YOU --role developer --expires 90d"
    live = [k for k in seen.keys or () if not k.revoked]
    active = [k for k in live if seen.now < k.expires]
    if not active:
        why = "All keys have expired." if live else "There is no key, so nobody can come in."
        return [Check("keys", "warn", why, make)]
    soon = [k for k in active if k.expires - seen.now < _SOON_DAYS * DAY_MS]
    found = [Check("keys", "ok", f"{len(active)} key(s) are valid.")]
    if soon:
        ids = ", ".join(k.id for k in soon)
        found.append(Check("keys", "warn", f"Within {_SOON_DAYS} days these expire: {ids}.",
                           "Make new ones and hand them out."))  # fmt: skip
    return found


def _clients(clients: Sequence[ClientSeen]) -> list[Check]:
    found = []
    for one in clients:
        if one.bypassing:
            names = ", ".join(one.bypassing)
            found.append(Check(f"client {one.client}", "warn", f"{one.path} reaches these servers "
                               f"past the gate: {names}.", f"lockgate import {one.path}, then "
                               f"lockgate connect {one.client} --write --only"))  # fmt: skip
        elif one.connected:
            found.append(Check(f"client {one.client}", "ok", "goes through the gate."))
    return found
