"""Probing and rotating secrets. Each act is in the journal before it is done, and what it proved
afterwards; no value ever is."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.secret_status import Outcome, Proof, SecretDesk
from lockgate.model.reference import Reference, ReferenceBroken, parse_reference
from lockgate.model.secret import Secret

PAUSE_SECONDS = 5.0
"""Between two attempts to see the old credential refused."""
_MOST = 65_536
_WORST_FIRST: tuple[Outcome, ...] = ("refused", "unreachable", "unproven", "accepted")

Result = Literal["proven", "old still accepted", "unproven", "new refused", "restored"]


class Probed(msgspec.Struct, frozen=True):
    reference: Reference
    proofs: tuple[Proof, ...] = ()
    """One an upstream that uses it."""
    failing: str = ""
    """Why it cannot be read."""

    @property
    def result(self) -> str:
        """The worst outcome; ``read`` where nothing but reading it could be tried."""
        return "failing" if self.failing else _worst(self.proofs)

    @property
    def wrong(self) -> bool:
        return self.result in ("failing", "refused", "unreachable")


class Rotated(msgspec.Struct, frozen=True):
    reference: Reference
    result: Result
    version: str
    new: tuple[Proof, ...]
    """How upstreams took the new value."""
    old: tuple[Proof, ...]
    """How they took the one before, afterwards."""


class Rotation:
    """``pause`` waits that many seconds, and says False to stop."""

    def __init__(
        self,
        desk: SecretDesk,
        acting: Acting,
        pause: Callable[[float], bool],
    ) -> None:
        self._desk = desk
        self._acting = acting
        self._pause = pause

    def find(self, text: str) -> Reference:
        """Raises ``Refused`` for what the configuration does not name."""
        try:
            reference = parse_reference(text)
        except ReferenceBroken as broken:
            raise Refused(f"{broken}.") from broken
        if reference is None or reference.bare not in self._desk.uses:
            raise Refused(f"The configuration names no secret {text}.",
                          "`lockgate secrets status` lists them.")  # fmt: skip
        return reference.bare

    def probe(self, reference: Reference) -> Probed:
        """Raises ``StoreDown``."""
        self._journal("secret.probe", reference)
        try:
            secret = self._desk.read(reference)
        except ReferenceBroken as broken:
            return self._noted(Probed(reference, failing=str(broken)))
        self._desk.ledger.observe({reference: secret}, self._acting.now_ms())
        return self._noted(Probed(reference, self._proofs(reference, secret.value)))

    def rotate(self, reference: Reference, value: str, wait: float = 0.0) -> Rotated:
        """Write ``value``, see it accepted, see the one before refused, for up to ``wait`` seconds.
        Where the new one is refused and the one before is not, that is put back.

        Raises ``Refused`` where nothing was changed, and ``StoreDown``.
        """
        old = self._old(reference, value)
        self._journal("secret.rotate", reference)
        secret = self._write(reference, value)
        new = self._proofs(reference, value)
        before = self._proofs(reference, old.value)
        if _any(new, "refused") and _any(before, "accepted"):
            self._journal("secret.restore", reference)
            secret = self._write(reference, old.value)
            return self._said(Rotated(reference, "restored", secret.version, new, before))
        before = self._until_refused(reference, old.value, before, wait)
        return self._said(Rotated(reference, _result(new, before), secret.version, new, before))

    def _old(self, reference: Reference, value: str) -> Secret:
        if not value or len(value) > _MOST or "\0" in value:
            raise Refused("The new value is empty, longer than 64 KiB or no text.",
                          "Nothing was changed.")  # fmt: skip
        try:
            old = self._desk.read(reference)
        except ReferenceBroken as broken:
            raise Refused(f"{broken}.", "Nothing was changed.") from broken
        if old.value == value:
            raise Refused("The new value is the one that is there.", "Nothing was changed.")
        if "\n" in value and "\n" not in old.value:
            raise Refused("The new value has several lines, the one that is there has one.",
                          "Nothing was changed.")  # fmt: skip
        return old

    def _write(self, reference: Reference, value: str) -> Secret:
        try:
            self._desk.backends[reference.place].write(reference, value)
            secret = self._desk.read(reference)
            if secret.value != value:
                raise ReferenceBroken(f"{reference} holds another value than was written")
        except ReferenceBroken as broken:
            self._journal("secret.rotated", reference, "failed")
            remedy = "`lockgate secrets status` says what is there now."
            raise Refused(f"{broken}.", remedy) from broken
        self._desk.ledger.observe({reference: secret}, self._acting.now_ms())
        self._desk.ledger.rotated(reference, self._acting.now_ms())
        return secret

    def _until_refused(
        self, reference: Reference, value: str, proofs: tuple[Proof, ...], wait: float
    ) -> tuple[Proof, ...]:
        waited = 0.0
        while _any(proofs, "accepted") and waited < wait and self._pause(PAUSE_SECONDS):
            waited += PAUSE_SECONDS
            proofs = self._proofs(reference, value)
        return proofs

    def _proofs(self, reference: Reference, value: str) -> tuple[Proof, ...]:
        prober = self._desk.prober
        return tuple(
            prober.probe(name, reference, value) for name in self._desk.upstreams(reference)
        )

    def _noted(self, probed: Probed) -> Probed:
        self._desk.ledger.probed(probed.reference, probed.result, self._acting.now_ms())
        self._journal("secret.probed", probed.reference, probed.result)
        return probed

    def _said(self, rotated: Rotated) -> Rotated:
        good = rotated.old if rotated.result == "restored" else rotated.new
        self._desk.ledger.probed(rotated.reference, _worst(good), self._acting.now_ms())
        self._journal("secret.rotated", rotated.reference, rotated.result)
        return rotated

    def _journal(self, action: str, reference: Reference, result: str = "") -> None:
        header = {"action": action, "target": str(reference)}
        about = {**header, "result": result} if result else header
        self._acting.record(self._acting.event(about, at=self._acting.now_ms()))


def _result(new: Sequence[Proof], old: Sequence[Proof]) -> Result:
    if _any(new, "refused"):
        return "new refused"
    if _any(old, "accepted"):
        return "old still accepted"
    proven = new and all(p.outcome == "accepted" for p in new)
    return "proven" if proven and all(p.outcome == "refused" for p in old) else "unproven"


def _worst(proofs: Sequence[Proof]) -> str:
    return min((p.outcome for p in proofs), key=_WORST_FIRST.index, default="read")


def _any(proofs: Sequence[Proof], outcome: Outcome) -> bool:
    return any(proof.outcome == outcome for proof in proofs)
