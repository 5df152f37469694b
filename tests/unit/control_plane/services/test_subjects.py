from typing import get_args

import msgspec

from lockgate.approval.approvers import Voice
from lockgate.approval.payload import stored
from lockgate.control_plane.services.subjects import (
    SUBJECTS,
    ConfigEdit,
    RoleWanted,
    read_edit,
    reason_in,
)
from lockgate.model.inquiry import InquiryKind
from lockgate.model.privilege import RECOVERY
from support.inquiries import CALL, inquiry, role, vote

EDIT = ConfigEdit("/etc/lockgate.yaml", "0", "text", "+ a line", (("notes-token", "s3cret"),))


def test_every_kind_of_question_has_its_subject() -> None:
    assert set(SUBJECTS) == set(get_args(InquiryKind))


def test_what_is_asked_for_is_told_as_plain_facts() -> None:
    call = SUBJECTS["call"].facts(inquiry(parent="q0"), stored(CALL))
    assert call == (("edited from", "q0"), ("/patient_id", '"p-1"'))
    wanted = msgspec.msgpack.encode(RoleWanted("to rotate a key"))
    told = SUBJECTS["role"].facts(role("oidc:dora", "operator"), wanted)
    assert told == (("role", "operator"), ("for", "oidc:dora"), ("minutes", "60"),
                    ("reason", "to rotate a key"))  # fmt: skip
    edit = SUBJECTS["catalogue"].facts(inquiry(kind="catalogue"), msgspec.msgpack.encode(EDIT))
    assert ("change", "+ a line") in edit
    assert "s3cret" not in str(edit)
    assert SUBJECTS["grant"].facts(inquiry(kind="grant"), b"") == ()


def test_what_is_kept_no_more_is_not_told() -> None:
    assert SUBJECTS["call"].facts(inquiry(), b"") == ()
    assert SUBJECTS["catalogue"].facts(inquiry(), b"") == ()
    assert "reason" not in dict(SUBJECTS["role"].facts(role("oidc:dora", "operator"), b""))
    assert reason_in(b"") == ""


def test_the_journal_calls_steps_about_roles_as_administrators_do() -> None:
    roles, calls = SUBJECTS["role"], SUBJECTS["call"]
    said = [roles.action("answered", vote(answer=a)) for a in ("yes", "no", "veto")]
    assert said == ["privilege.grant", "privilege.deny", "privilege.deny"]
    steps = [roles.action(step, None) for step in ("requested", "cancelled", "revoked")]
    assert steps == ["privilege.request", "privilege.deny", "privilege.revoke"]
    assert calls.action("answered", vote()) == "approval.answered"


def test_the_recovery_admin_may_stop_what_it_may_not_give() -> None:
    assert SUBJECTS["role"].voice(Voice(), RECOVERY).veto
    assert not SUBJECTS["role"].voice(Voice(), "oidc:dora").veto
    assert not SUBJECTS["call"].voice(Voice(), RECOVERY).veto


def test_a_secret_is_in_no_text() -> None:
    assert "s3cret" not in repr(EDIT)
    assert read_edit(msgspec.msgpack.encode(EDIT)) == EDIT
