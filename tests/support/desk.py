"""A deployment in a temporary directory, its stores in memory, and a way to type commands at it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import orjson
from typer.testing import CliRunner

from lockgate.app.office import LocalOffice
from lockgate.app.settings_admin import rules_of
from lockgate.app.settings_approvals import approval_rules_of
from lockgate.app.settings_file import load
from lockgate.approval.approvers import Approvers
from lockgate.control_plane.cli.office import Records
from lockgate.control_plane.cli.program import build
from lockgate.control_plane.services.deployment import Machine
from lockgate.model import StoreDown
from lockgate.store.directory import Directory
from lockgate.store.memory_accounts import MemoryAccounts
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.memory_keys import MemoryKeys
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.recovery import MemoryRecovery
from lockgate.store.relations import MemoryRelations
from lockgate.store.revocations import MemoryRevocations
from lockgate.store.standing import HeldStanding

NOW = 1_800_000_000_000
"""2027-01-15T08:00:00Z"""


class Answer:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> object:
        return orjson.loads(self.out)


class Desk(LocalOffice):
    """The real office but for its stores, its clock and its randomness."""

    def __init__(self, root: Path) -> None:
        self.root = root
        home = root / "home"
        home.mkdir()
        machine = Machine(home, root, {"PATH": "/usr/bin:/bin"}, "linux", "opal")
        super().__init__(root / "lockgate.yaml", machine)
        self.program = ("/opt/lockgate/bin/lockgate",)
        self.keys = MemoryKeys()
        self.people = MemoryPeople()
        self.events = MemoryEvents()
        self.inquiries = MemoryInquiries(self.now_ms)
        self.relations = MemoryRelations()
        self.revocations = MemoryRevocations()
        self.recovery = MemoryRecovery()
        self.accounts = MemoryAccounts(self.now_ms)
        self.now = NOW
        self.down = False
        self.pauses: list[object] = []
        """What to do at each pause of ``--follow``: call it, or stop when there is none left."""
        self._count = 0

    @contextmanager
    def open(self) -> Iterator[Records]:
        self.deployment()
        if self.down:
            raise StoreDown("cannot open the database")
        yield Records(self.keys, self.people, self.events, self.inquiries, self.approvers(),
                      self.revocations, self.recovery, b"pepper",
                      self.accounts, self.relations)  # fmt: skip

    def approvers(self) -> Approvers:
        settings = load(self.config)
        standing = HeldStanding(
            self.inquiries, self.relations, lambda: settings.admin.enforced, self.now_ms
        )
        standing.refresh(self.now)
        directory = Directory(self.people)
        directory.refresh(self.now)
        rules = approval_rules_of(settings.approvals, rules_of(settings.admin), settings.issuers)
        return Approvers(rules, directory, standing)

    def has_records(self) -> bool:
        return True

    def now_ms(self) -> int:
        return self.now

    def random_bytes(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_128(b"%d" % self._count).digest(count)

    def pause(self, seconds: float) -> bool:
        if not self.pauses:
            return False
        step = self.pauses.pop(0)
        if callable(step):
            step()
        return True

    def become(self, account: str) -> None:
        """From now on somebody else types."""
        self.machine = msgspec.structs.replace(self.machine, user=account)

    def configure(self, text: str) -> None:
        self.config.write_text(text)

    def type(self, *words: str | Path, answer: str = "") -> Answer:
        """Run one command as a person would, away from a terminal."""
        found = CliRunner().invoke(build(lambda _: self), [str(w) for w in words], input=answer)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Answer(found.exit_code, found.stdout, found.stderr)
