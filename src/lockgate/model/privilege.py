"""An administrator's role: asked for with a reason, given by others, for a time."""

from typing import Literal, get_args

import msgspec

from lockgate.model.inquiry import InquiryState

AdminRole = Literal[
    "reader", "operator", "approver", "policy_author", "privacy_officer", "responder"
]
"""``reader`` looks; ``operator`` keeps keys, secrets and people; ``approver`` says yes to held
calls; ``policy_author`` changes policies and upstreams; ``privacy_officer`` reads contents and
erases personal data; ``responder`` stops traffic. None includes another."""

ADMIN_ROLES: tuple[AdminRole, ...] = get_args(AdminRole)

DANGEROUS: frozenset[AdminRole] = frozenset({"privacy_officer", "responder"})
"""Always take two people besides the one who asks."""

RECOVERY = "recovery"
"""Identity of whoever proved a recovery code. Others begin with ``os:`` or ``oidc:``."""


class Privilege(msgspec.Struct, frozen=True):
    """A question about a role, as administrators know it. Times are in milliseconds since the Unix
    epoch."""

    id: str
    role: AdminRole
    holder: str
    """Identity of who asked."""
    reason: str
    asked: int
    lasts: int
    """How long it is wanted for, in milliseconds."""
    expires: int
    """While it waits: when the request lapses. Once granted: when the role ends."""
    granted_by: tuple[str, ...] = ()
    """Who said yes so far, in order."""
    granted: int = 0
    """When enough people had said yes; 0 before."""
    ended: int = 0
    """When it was denied, withdrawn or revoked; 0 until then."""
    ended_by: str = ""
    state: InquiryState = "pending"
    """Of the question that it is; see ``services.privileges.state_of``."""


class RecoveryCode(msgspec.Struct, frozen=True):
    """As stored: not the code. Times are in milliseconds since the Unix epoch."""

    hash: str
    """Keyed, in hex."""
    made_by: str
    """Operating system account."""
    expires: int
    used: int = 0
