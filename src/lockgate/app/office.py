"""One deployment on this machine, for the command line: satisfies ``control_plane.cli.office``."""

import os
import pwd
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lockgate.app.reload import policy_files
from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.settings_file import SettingsInvalid, json_schema, load, parse
from lockgate.app.stamps import now_ms
from lockgate.app.wiring import accounts_of, argument_mapping, have_stores, stores_of
from lockgate.control_plane.cli.office import PoliciesSeen, Records
from lockgate.control_plane.services.deployment import Deployment, Machine, UpstreamPlan
from lockgate.control_plane.services.refused import Misconfigured
from lockgate.model import StoreDown
from lockgate.model.problem import Problem
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid
from lockgate.store.approvals import StoredApprovals


class LocalOffice:
    """Reads the configuration only when asked for something that needs it."""

    def __init__(self, config: Path, machine: Machine | None = None) -> None:
        self.config = config
        self.machine = machine or this_machine()
        self.program = this_program()
        self._stop = threading.Event()

    def check(self, text: str | None = None) -> tuple[Problem, ...]:
        try:
            if text is None:
                load(self.config)
            else:
                parse(text, str(self.config))
        except SettingsInvalid as error:
            return error.problems
        return ()

    def check_policies(self) -> PoliciesSeen:
        settings = self._settings()
        files = policy_files(settings, self.config.absolute().parent)
        problems: list[Problem] = []
        texts: dict[str, str] = {}
        for file in files:
            try:
                texts[str(file)] = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "not UTF-8 text"
                problems.append(Problem(f"the policy cannot be read ({why})", str(file),
                                        remedy="Mend it, or correct policies."))  # fmt: skip
        try:
            PolicyBundle.compile(texts, argument_mapping(settings))
        except PolicyInvalid as error:
            problems += error.problems
        except MappingInvalid as error:
            problems.append(Problem(str(error), str(self.config), path="upstreams",
                                    remedy="Give one argument name one type."))  # fmt: skip
        return PoliciesSeen(len(files), tuple(problems))

    def schema(self) -> Mapping[str, Any]:
        return json_schema()

    def deployment(self) -> Deployment:
        settings = self._settings()
        return Deployment(
            config=self.config.absolute(),
            data_dir=Path(settings.data_dir),
            host=settings.listen.host,
            port=settings.listen.port,
            url=gate_url(settings),
            upstreams=tuple(plan_of(name, one) for name, one in settings.upstreams.items()),
            policies=tuple(Path(p) for p in settings.policies),
        )

    def has_records(self) -> bool:
        try:
            return have_stores(self._settings())
        except StoreDown:
            return True  # opening them says why they cannot be seen

    @contextmanager
    def open(self) -> Iterator[Records]:
        stores = stores_of(self._settings())
        try:
            approvals = StoredApprovals(stores.engine, now_ms)
            accounts, pepper = accounts_of(stores), stores.secrets.pepper()
            yield Records(stores.keys, stores.events, approvals, pepper, accounts)
        finally:
            stores.engine.dispose()

    def now_ms(self) -> int:
        return now_ms()

    def random_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def pause(self, seconds: float) -> bool:
        return not self._stop.wait(seconds)

    def _settings(self) -> Settings:
        try:
            return load(self.config)
        except SettingsInvalid as error:
            raise Misconfigured(error.problems) from error


def gate_url(settings: Settings) -> str:
    """The endpoint over all upstreams, as a client of this machine or of the proxy reaches it."""
    listen = settings.listen
    if listen.behind_tls_proxy and listen.hosts:
        return f"https://{listen.hosts[0]}/mcp"
    host = f"[{listen.host}]" if ":" in listen.host and "[" not in listen.host else listen.host
    return f"http://{host}:{listen.port}/mcp"


def plan_of(name: str, one: UpstreamSettings) -> UpstreamPlan:
    return UpstreamPlan(name, one.argv, one.url or "", one.env, one.headers, one.cwd or "")


def this_machine() -> Machine:
    return Machine(Path.home(), Path.cwd(), dict(os.environ), sys.platform, _account())


def this_program() -> tuple[str, ...]:
    """How a client starts ``lockgate``: absolute, since applications have another PATH."""
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).stem == "lockgate" else None
    found = found or shutil.which("lockgate", path=str(Path(sys.executable).parent))
    return (str(Path(found).absolute()),) if found else (sys.executable, "-m", "lockgate.app.main")


def _account() -> str:
    """The operating system's name for who runs this; the environment alone could say anything."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    return f"{behind} as {name}" if behind and behind != name else name
