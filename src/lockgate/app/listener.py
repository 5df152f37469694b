"""One client that is told things outside of its calls: on a legacy session's own stream, or as the
answer to a modern ``subscriptions/listen``."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from lockgate.app.asking import Put
from lockgate.model import Session
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.merge import Views
from lockgate.pipeline.subscriptions import Anchor
from lockgate.upstream.link import Event
from lockgate.wire import jsonrpc
from lockgate.wire.capabilities import asks_of
from lockgate.wire.era_2026_07_listen import KINDS, tagged
from lockgate.wire.jsonrpc import Id
from lockgate.wire.request import Request

EVERYTHING = frozenset(KINDS)


class Listener:
    """``id``: of the listen; None on a session's stream. ``put`` never blocks."""

    def __init__(
        self,
        caller: Caller,
        request: Request,
        put: Put,
        kinds: frozenset[str] = EVERYTHING,
        id: Id | None = None,
    ) -> None:
        self.caller = caller
        self.request = request
        """What each subscription's own request is made from."""
        self.kinds = kinds
        self.id = id
        self.anchors: dict[tuple[str, str], Anchor] = {}
        """Subscriptions that stand, by upstream and its own URI."""
        self.wanted: frozenset[str] = frozenset()
        """URIs that were asked for, whether they were granted or not."""
        self.again: frozenset[str] = frozenset()
        """Those that could not be decided; they are tried again."""
        self.viewer = viewer(caller, request)
        self.views: Views = {}
        """Digest of what its client may have seen, by list method and upstream."""
        self.looked: dict[str, float] = {}
        """When (seconds of the loop's clock) lists of a kind were last looked at for it."""
        self.open = False
        """It has been told what it will be told, if it had to be."""
        self.ended = asyncio.Event()
        self.present: Callable[[], bool] = lambda: True
        """Its client is connected, and not on its way back."""
        self.turn = asyncio.Lock()
        """Held while its subscriptions change."""
        self._put = put

    @property
    def holder(self) -> str:
        return self.caller.principal.holder

    def tell(self, method: str, params: bytes = b"{}") -> None:
        if self.id is not None:
            params = tagged(params, self.id)
        self._put(jsonrpc.encode_notification(method, params))

    def concerned(self, event: Event) -> bool:
        """Whether this event may be about it: it came over a connection that it uses too."""
        terms = event.terms
        if terms.session and terms.session != self.caller.session:
            return False
        return terms.holder in ("", self.holder) and self.may_use(event.upstream)

    def may_use(self, upstream: str) -> bool:
        return upstream in self.caller.endpoint.upstreams

    def move(self, endpoints: Mapping[str, Endpoint]) -> None:
        """To its endpoint as it is after a reload. If that is gone, its stream ends soon."""
        found = endpoints.get(self.caller.endpoint.path)
        if found is not None:
            self.caller = msgspec.structs.replace(self.caller, endpoint=found)


def viewer(caller: Caller, request: Request) -> str:
    """Whose view of a list it is: one session's, or that of all modern clients that are alike."""
    if caller.session:
        return caller.session
    who = caller.principal
    like = [who.id, who.agent, caller.endpoint.path, asks_of(request.capabilities).decode()]
    return "\0".join(like)


def of_session(session: Session, caller: Caller, put: Put) -> Listener:
    caller = msgspec.structs.replace(caller, session=session.id)
    request = Request(
        "legacy", session.version, None, "",
        client=session.client, capabilities=session.capabilities,
    )  # fmt: skip
    listener = Listener(caller, request, put)
    listener.open = True
    return listener
