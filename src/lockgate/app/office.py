"""One deployment on this machine, for the command line: satisfies ``control_plane.cli.office``."""

import os
import pwd
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from lockgate.app.channel_desk import channel_desk
from lockgate.app.reload import policy_files
from lockgate.app.secret_desk import secret_desk
from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.settings_admin import rules_of
from lockgate.app.settings_approvals import approval_rules_of
from lockgate.app.settings_file import SettingsInvalid, json_schema, load, parse
from lockgate.app.settings_maps import argument_mapping
from lockgate.app.settings_tls import TlsSettings
from lockgate.app.stamps import now_ms
from lockgate.app.stores import Stores, accounts_of, have_stores, inquiries_of, stores_of
from lockgate.approval.approvers import Approvers
from lockgate.control_plane.cli.office import PoliciesSeen, Records
from lockgate.control_plane.services.catalogue import FACTOR
from lockgate.control_plane.services.channels import ChannelDesk
from lockgate.control_plane.services.deployment import Deployment, Machine, TlsFiles, UpstreamPlan
from lockgate.control_plane.services.privileges import Rules
from lockgate.control_plane.services.refused import Misconfigured
from lockgate.control_plane.services.secret_status import SecretDesk
from lockgate.model import StoreDown
from lockgate.model.problem import Problem
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid
from lockgate.store.directory import Directory
from lockgate.store.inquiries import StoredInquiries
from lockgate.store.recovery import StoredRecovery
from lockgate.store.relations import StoredRelations
from lockgate.store.revocations import StoredRevocations
from lockgate.store.standing import HeldStanding

_LOGIN_UID = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1
"""What the kernel says of a process that nobody logged in for."""


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
            tls=tls_files(settings.listen.tls),
            upstreams=tuple(plan_of(name, one) for name, one in settings.upstreams.items()),
            policies=tuple(Path(p) for p in settings.policies),
        )

    def admin_rules(self) -> Rules:
        return rules_of(self._settings().admin)

    def asks_for_catalogue(self) -> bool:
        return FACTOR in self._settings().approvals.factors

    def has_records(self) -> bool:
        try:
            return have_stores(self._settings())
        except StoreDown:
            return True  # opening them says why they cannot be seen

    @contextmanager
    def open(self) -> Iterator[Records]:
        stores = stores_of(self._settings())
        try:
            inquiries = inquiries_of(stores)
            revocations = StoredRevocations(stores.engine)
            pepper = stores.secrets.pepper()
            recovery = StoredRecovery(stores.engine)
            approvers = self._approvers(stores, inquiries)
            yield Records(stores.keys, stores.people, stores.events, inquiries, approvers,
                          revocations, recovery, pepper, accounts_of(stores),
                          StoredRelations(stores.engine))  # fmt: skip
        finally:
            stores.engine.dispose()

    def issuers(self) -> Mapping[str, str]:
        return {name: one.url for name, one in self._settings().issuers.items()}

    def secrets(self) -> AbstractContextManager[SecretDesk]:
        return secret_desk(self._settings())

    def channels(self) -> AbstractContextManager[ChannelDesk]:
        return channel_desk(self._settings())

    def now_ms(self) -> int:
        return now_ms()

    def random_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def pause(self, seconds: float) -> bool:
        return not self._stop.wait(seconds)

    def _approvers(self, stores: Stores, inquiries: StoredInquiries) -> Approvers:
        """A command is short: what it read at its beginning is what it goes by."""
        settings, now = self._settings(), now_ms()
        directory = Directory(stores.people)
        directory.refresh(now)
        standing = HeldStanding(
            inquiries,
            StoredRelations(stores.engine),
            lambda: settings.admin.enforced,
            lambda: now,
        )
        standing.refresh(now)
        rules = approval_rules_of(settings.approvals, rules_of(settings.admin), settings.issuers)
        return Approvers(rules, directory, standing)

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
    if listen.tls is not None:
        name = listen.hosts[0] if listen.hosts else "localhost"
        return f"https://{name}:{listen.port}/mcp"
    host = f"[{listen.host}]" if ":" in listen.host and "[" not in listen.host else listen.host
    return f"http://{host}:{listen.port}/mcp"


def tls_files(tls: TlsSettings | None) -> TlsFiles | None:
    if tls is None:
        return None
    revoked = Path(tls.client_crl) if tls.client_crl is not None else None
    return TlsFiles(Path(tls.certificate), Path(tls.key), revoked)


def plan_of(name: str, one: UpstreamSettings) -> UpstreamPlan:
    return UpstreamPlan(name, one.argv, one.url or "", one.env, one.headers, one.cwd or "")


def this_machine() -> Machine:
    return Machine(
        Path.home(), Path.cwd(), dict(os.environ), sys.platform, _account(), login_account()
    )


def this_program() -> tuple[str, ...]:
    """How a client starts ``lockgate``: absolute, since applications have another PATH."""
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).stem == "lockgate" else None
    found = found or shutil.which("lockgate", path=str(Path(sys.executable).parent))
    return (str(Path(found).absolute()),) if found else (sys.executable, "-m", "lockgate.app.main")


def login_account(place: Path = _LOGIN_UID) -> str:
    """Linux keeps the user id of the login through ``su`` and ``sudo``; only who may do anything on
    the machine can set it again."""
    try:
        uid = int(place.read_text())
    except (OSError, ValueError):
        uid = _NO_LOGIN
    return _name_of(os.getuid() if uid == _NO_LOGIN else uid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _account() -> str:
    """Who runs this, as the operating system says, and for whom. Only where it knows no login, and
    only of root, who could say anything anyway, is ``SUDO_USER`` believed."""
    name, behind = _name_of(os.getuid()), login_account()
    if behind == name and os.getuid() == 0:
        behind = os.environ.get("SUDO_USER", "") or name
    return name if behind == name else f"{behind} as {name}"
