"""Which admin role each command and each page of the console takes: the one table.

Commands look themselves up in it (``cli.office.records_of``); ``docs/roles.md`` is made from it; a
test finds every command and page, and fails for one that has no row. For commands nothing here
counts while ``admin.enforced`` is off; for pages it always does, since everybody in the company can
sign in.
"""

from collections.abc import Mapping

import msgspec

from lockgate.model import Slot
from lockgate.model.privilege import AdminRole

FOR_READERS: frozenset[Slot] = frozenset({"actor"})
"""Who did it. What was said, to whom and from where is contents."""


class Duty(msgspec.Struct, frozen=True):
    """What one command or page takes."""

    roles: tuple[AdminRole, ...] = ()
    """Any one of these; the first is what a refusal proposes. Empty: none is needed."""
    contents: tuple[AdminRole, ...] = ()
    """Who of them is also shown arguments, answers and other personal data. Empty: it shows none,
    or shows them to all whom it takes."""
    because: str = ""
    """Why none is needed."""


_LISTING = Duty(("reader", "operator"))
_WATCHING = Duty(("reader", "operator", "responder"))
_KEEPING = Duty(("operator",))
_STOPPING = Duty(("operator", "responder"))
_JOURNAL = Duty(("reader", "responder", "privacy_officer"), ("privacy_officer",))

_SERVERS = Duty(("reader", "operator", "responder", "policy_author"))

_BEGINS = Duty(because="begins a deployment; there is nothing yet to be kept from anybody")
_MACHINE = Duty(because="looks at files of this machine, and tells nothing of anybody")
_RUNS = Duty(because="runs the gateway: whose account may is the machine's to say")
_ONESELF = Duty(because="is about whoever types, and their own files")
_ROLES = Duty(because="has rules of its own: who may give and end roles (`admin.granters`)")
_ANSWERS = Duty(because="has rules of its own: whose yes each question takes (`approvals.factors`)")
_LISTING_ANSWERS = Duty(("reader", "approver", "responder"))
_DOOR = Duty(because="is the way in and out")

COMMANDS: Mapping[str, Duty] = {
    "init": _BEGINS,
    "demo": _BEGINS,
    "import": Duty(("policy_author",)),
    "connect": _ONESELF,
    "login": _ONESELF,
    "logout": _ONESELF,
    "stdio": _ONESELF,
    "serve": _RUNS,
    "doctor": _MACHINE,
    "config check": _MACHINE,
    "config schema": _MACHINE,
    "config propose": Duty(("policy_author",)),
    "keys list": _LISTING,
    "keys report": _LISTING,
    "keys create": _KEEPING,
    "keys rotate": _KEEPING,
    "keys revoke": _STOPPING,
    "tokens revoked": _WATCHING,
    "tokens revoke": _STOPPING,
    "secrets status": _LISTING,
    "secrets probe": _KEEPING,
    "secrets rotate": _KEEPING,
    "people list": _WATCHING,
    "people show": Duty(("privacy_officer",)),
    "people deactivate": _STOPPING,
    "people reactivate": _KEEPING,
    "accounts list": _WATCHING,
    "accounts disconnect": _STOPPING,
    "approvals list": _ANSWERS,
    "approvals show": Duty(contents=("approver",), because=_ANSWERS.because),
    "approvals approve": _ANSWERS,
    "approvals deny": _ANSWERS,
    "approvals withdraw": _ANSWERS,
    "approvals grant": _ANSWERS,
    "approvals grants": _LISTING_ANSWERS,
    "approvals end-grant": _ANSWERS,
    "approvals edit": _ANSWERS,
    "approvals delegate": _ANSWERS,
    "approvals delegations": _LISTING_ANSWERS,
    "approvals undelegate": _ANSWERS,
    "approvals apply": Duty(("policy_author",)),
    "relations load": Duty(("policy_author",)),
    "relations list": _LISTING,
    "approvals channels": _LISTING,
    "approvals stats": _LISTING,
    "audit tail": _JOURNAL,
    "audit show": _JOURNAL,
    "admin list": _ROLES,
    "admin who-can": _ROLES,
    "admin request": _ROLES,
    "admin grant": _ROLES,
    "admin deny": _ROLES,
    "admin revoke": _ROLES,
    "admin recover": Duty(because="makes the first administrator; takes the deployment's secrets"),
}
"""By the words that follow ``lockgate``."""

PAGES: Mapping[str, Duty] = {
    "/console": _DOOR,
    "/console/": Duty(because="is the first page: each part of it takes the roles of its room"),
    "/console/static/{name}": _DOOR,
    "/console/live": Duty(because="tells only of what the visitor's own rooms show"),
    "/console/approvals": _ANSWERS,
    "/console/approvals/{id}": Duty(contents=("approver",), because=_ANSWERS.because),
    "/console/approvals/answer": _ANSWERS,
    "/console/approvals/withdraw": _ANSWERS,
    "/console/approvals/{id}/preview": Duty(contents=("approver",), because=_ANSWERS.because),
    "/console/approvals/{id}/sign-in": _ANSWERS,
    "/console/api/v1/approvals": _ANSWERS,
    "/console/api/v1/approvals/{id}": Duty(contents=("approver",), because=_ANSWERS.because),
    "/console/api/v1/approvals/{id}/answer": Duty(contents=("approver",), because=_ANSWERS.because),
    "/console/calls": _JOURNAL,
    "/console/calls/{call}": _JOURNAL,
    "/console/upstreams": _SERVERS,
    "/console/upstreams/{name}": _SERVERS,
    "/console/keys": _WATCHING,
    "/console/keys/revoke": _STOPPING,
    "/console/roles": _ROLES,
    "/console/api/v1/session": Duty(because="tells visitors who they are"),
    "/console/api/v1/upstreams": _SERVERS,
    "/console/api/v1/upstreams/{name}": _SERVERS,
    "/console/api/v1/calls": _JOURNAL,
    "/console/api/v1/calls/{call}": _JOURNAL,
    "/console/api/v1/keys": _WATCHING,
    "/console/api/v1/keys/{id}/revoke": _STOPPING,
    "/console/api/v1/roles": _ROLES,
    "/console/api/v1/openapi.json": Duty(because="describes the API, and nothing of anybody"),
    "/console/sign-in": _DOOR,
    "/console/callback": _DOOR,
    "/console/recover": Duty(because="takes a recovery code"),
    "/console/sign-out": _DOOR,
    "/console/backchannel-logout": _DOOR,
    "/console/request": _ROLES,
    "/console/grant": _ROLES,
    "/console/deny": _ROLES,
    "/console/revoke": _ROLES,
}
"""By path."""
