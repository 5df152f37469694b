"""What a second person is asked about: one subject for each kind of question.

The engine, the service that votes and the pages know kinds only by this table. Whatever else takes
a second person gets a row here, never an engine of its own: docs/adr/0013.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec
import orjson

from lockgate.approval.approvers import Voice
from lockgate.approval.payload import read_stored
from lockgate.model.approval import Bound, Scope
from lockgate.model.inquiry import Inquiry, InquiryKind, Vote
from lockgate.model.privilege import RECOVERY

Fact = tuple[str, str]
"""What it is called, and its value: plain text, never markup; words of a model never as ours."""

CarriedOut = Literal["gateway", "approval", "command"]
"""``gateway``: it runs what was approved. ``approval``: nothing is left to be done; approved, it is
in force until it expires or is taken back. ``command``: somebody applies it, on its machine."""


class Subject(Protocol):
    """Pure. Who may answer is the factors' rule; a subject may only add to it."""

    @property
    def carried_out(self) -> CarriedOut: ...

    def voice(self, found: Voice, identity: str) -> Voice:
        """What ``identity`` may say, where the rules and the engine let them say ``found``."""
        ...

    def facts(self, one: Inquiry, payload: bytes) -> tuple[Fact, ...]:
        """What is asked for. ``payload``: what is kept sealed; empty where it is kept no more."""
        ...

    def action(self, step: str, given: Vote | None) -> str:
        """What the journal calls a step."""
        ...

    def private(self, one: Inquiry, payload: bytes) -> Mapping[str, object]:
        """For the journal's slot ``subject``: whom it is about, and what people wrote."""
        ...


class RoleWanted(msgspec.Struct, frozen=True):
    """Payload of a question about a role."""

    reason: str


class ConfigEdit(msgspec.Struct, frozen=True):
    """Payload of a question about the catalogue: the exact edit."""

    path: str
    """Of the configuration file, on the machine where it was asked."""
    base: str
    """SHA-256 of the file as it was, in hex."""
    text: str
    """The file as it would be."""
    diff: str
    secrets: tuple[tuple[str, str], ...] = ()
    """Names and values of secret files that the new text refers to."""

    def __repr__(self) -> str:
        return f"ConfigEdit({self.path!r})"


class _Plain:
    """What most subjects do alike."""

    carried_out: CarriedOut = "gateway"

    def voice(self, found: Voice, identity: str) -> Voice:  # noqa: ARG002
        return found

    def action(self, step: str, given: Vote | None) -> str:  # noqa: ARG002
        return f"approval.{step}"

    def private(self, one: Inquiry, payload: bytes) -> Mapping[str, object]:  # noqa: ARG002
        return {}


class CallSubject(_Plain):
    def facts(self, one: Inquiry, payload: bytes) -> tuple[Fact, ...]:
        if not payload:
            return ()
        found = read_stored(payload).exact.items()
        more = (("edited from", one.parent),) if one.parent else ()
        return (*more, *((f"/{name}", _text(value)) for name, value in found))


class GrantSubject(_Plain):
    carried_out: CarriedOut = "approval"

    def facts(self, one: Inquiry, payload: bytes) -> tuple[Fact, ...]:  # noqa: ARG002
        scope = one.scope
        if scope is None:
            return ()
        told = (("uses", str(one.uses)), ("minutes", f"{one.window / 60_000:g}"))
        return (*told, ("from question", one.parent), *_place(scope), *map(_bound, scope.bounds))


class RoleSubject(_Plain):
    carried_out: CarriedOut = "approval"

    def voice(self, found: Voice, identity: str) -> Voice:
        """Ending is never harder than giving: the recovery admin may stop what it may not give."""
        return msgspec.structs.replace(found, veto=True) if identity == RECOVERY else found

    def facts(self, one: Inquiry, payload: bytes) -> tuple[Fact, ...]:
        reason = (("reason", reason_in(payload)),) if payload else ()
        return (("role", one.tool["role"]), ("for", one.holder),
                ("minutes", f"{one.window / 60_000:g}"), *reason)  # fmt: skip

    def action(self, step: str, given: Vote | None) -> str:
        if given is not None:
            return "privilege.grant" if given.answer == "yes" else "privilege.deny"
        names = {"requested": "request", "cancelled": "deny", "revoked": "revoke"}
        return f"privilege.{names.get(step, step)}"

    def private(self, one: Inquiry, payload: bytes) -> Mapping[str, object]:
        return {"holder": one.holder, "reason": reason_in(payload)}


class CatalogueSubject(_Plain):
    carried_out: CarriedOut = "command"

    def facts(self, one: Inquiry, payload: bytes) -> tuple[Fact, ...]:
        if not payload:
            return ()
        edit = read_edit(payload)
        secrets = tuple(("secret file", name) for name, _ in edit.secrets)
        return (("file", edit.path), ("by", one.holder), *secrets, ("change", edit.diff))


SUBJECTS: Mapping[InquiryKind, Subject] = {
    "call": CallSubject(),
    "grant": GrantSubject(),
    "role": RoleSubject(),
    "catalogue": CatalogueSubject(),
}

read_edit = msgspec.msgpack.Decoder(ConfigEdit).decode
_wanted = msgspec.msgpack.Decoder(RoleWanted).decode


def reason_in(payload: bytes) -> str:
    """Why a role is wanted; empty where it is kept no more."""
    return _wanted(payload).reason if payload else ""


def _place(scope: Scope) -> tuple[Fact, ...]:
    return (("who", scope.principal), ("agent", scope.agent), ("tool",
            f"{scope.upstream}/{scope.target}"))  # fmt: skip


def _bound(bound: Bound) -> Fact:
    return bound.pointer, f"{bound.is_} {', '.join(map(_text, bound.values))}"


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
