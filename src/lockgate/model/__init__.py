"""The vocabulary. Frozen values only: no I/O, no clock, no imports from other rooms."""

from lockgate.model.account import Account
from lockgate.model.approval import APPROVALS, Approval, Binding, binding_of, question_of
from lockgate.model.call import Call, Envelope
from lockgate.model.canonical import Json, canonical
from lockgate.model.event import AuditEvent, EventKind, Recorded, Slot
from lockgate.model.facts import NOW, Fact, FactKey, Facts, Known, Unknown
from lockgate.model.failures import EventRefused, JournalDown, PeerGone, SendFailed, StoreDown
from lockgate.model.key import KeyRecord
from lockgate.model.permit import NotPermitted, Permit, Release
from lockgate.model.person import Group, Person
from lockgate.model.principal import SYSTEM, Principal
from lockgate.model.quota import QUOTA, Reservation, take_token
from lockgate.model.reason import Reason, Uncatalogued
from lockgate.model.reasons import REASONS
from lockgate.model.reply import Catalogue, Item, Notice, Reply
from lockgate.model.session import Cursor, Session, SessionState
from lockgate.model.terms import Terms
from lockgate.model.tool import Tool, definition_hash
from lockgate.model.upstream import Upstream
from lockgate.model.verdict import Decision, Effect, Finding, Obligation, Verdict, combine

__all__ = [
    "APPROVALS",
    "NOW",
    "QUOTA",
    "REASONS",
    "SYSTEM",
    "Account",
    "Approval",
    "AuditEvent",
    "Binding",
    "Call",
    "Catalogue",
    "Cursor",
    "Decision",
    "Effect",
    "Envelope",
    "EventKind",
    "EventRefused",
    "Fact",
    "FactKey",
    "Facts",
    "Finding",
    "Group",
    "Item",
    "JournalDown",
    "Json",
    "KeyRecord",
    "Known",
    "NotPermitted",
    "Notice",
    "Obligation",
    "PeerGone",
    "Permit",
    "Person",
    "Principal",
    "Reason",
    "Recorded",
    "Release",
    "Reply",
    "Reservation",
    "SendFailed",
    "Session",
    "SessionState",
    "Slot",
    "StoreDown",
    "Terms",
    "Tool",
    "Uncatalogued",
    "Unknown",
    "Upstream",
    "Verdict",
    "binding_of",
    "canonical",
    "combine",
    "definition_hash",
    "question_of",
    "take_token",
]
