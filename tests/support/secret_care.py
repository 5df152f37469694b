"""A desk for secrets over real files and a real database, before consumers that a test commands."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.rotation import Rotation
from lockgate.control_plane.services.secret_status import Outcome, Proof, SecretDesk
from lockgate.model import AuditEvent
from lockgate.model.reference import Reference
from lockgate.model.secret import SecretUse
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.secret_backends.local import EnvSecrets, FileSecrets
from lockgate.store.secret_ledger import StoredSecretLedger

OLD, NEW = "canary-old-credential", "canary-new-credential"
ENV = Reference("env", "CLINIC_TOKEN")
NOW = 1_800_000_000_000


class Consumer:
    """An upstream that takes the credentials it is told to."""

    def __init__(self, *accepts: str) -> None:
        self.accepts = set(accepts)
        self.outcome: Outcome | None = None
        """Instead, whatever it is asked with."""
        self.asked: list[str] = []

    def take(self, value: str) -> Outcome:
        self.asked.append(value)
        return self.outcome or ("accepted" if value in self.accepts else "refused")


class Care:
    def __init__(self, folder: Path, engine: Engine) -> None:
        self.path = folder / "shop-token"
        self.path.write_text(f"{OLD}\n")
        self.file = Reference("file", str(self.path))
        self.environ = {ENV.name: "canary-of-the-clinic"}
        self.consumers = {"shop": Consumer(OLD), "clinic": Consumer()}
        self.consumers["clinic"].outcome = "unproven"
        self.ledger = StoredSecretLedger(engine, lambda: b"pepper" * 6)
        self.events = MemoryEvents()
        self.order: list[str] = []
        """What was journalled and what was tried, as it came."""
        self.now = NOW
        self.days = 90
        self.pauses: list[object] = []
        """What to do at each pause; none is left: stop."""
        self.desk = SecretDesk(
            {
                self.file: (SecretUse("upstreams.shop.headers.Authorization", "shop"),),
                ENV: (SecretUse("upstreams.clinic.env.TOKEN", "clinic"),),
            },
            {"file": FileSecrets(), "env": EnvSecrets(self.environ)},
            self.ledger, self, self, lambda _: self.days,
        )  # fmt: skip
        acting = Acting(Actor("opal"), self, lambda: self.now, self.random)
        self.rotation = Rotation(self.desk, acting, self.pause)
        self._count = 0

    def append(self, events: Sequence[AuditEvent]) -> None:
        self.order += [str(event.header["action"]) for event in events]
        self.events.append(events)

    def probe(self, upstream: str, reference: Reference, value: str) -> Proof:
        self.order.append(f"ask {upstream}")
        return Proof(upstream, self.consumers[upstream].take(value))

    def random(self, count: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(count, "big")

    def pause(self, seconds: float) -> bool:
        if not self.pauses:
            return False
        step = self.pauses.pop(0)
        if callable(step):
            step()
        return True
