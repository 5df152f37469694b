"""One message, to one channel."""

import asyncio
from collections.abc import Callable

from lockgate.approval.channels import AnyChannel, Email, NotTaken, Slack, Webhook
from lockgate.approval.mail import hand_over
from lockgate.approval.messages import Message, email_of, slack_body, webhook_body
from lockgate.approval.signature import SecretUnfit, signed
from lockgate.model.fetch import Fetch, Fetched, FetchFailed

_JSON = {"content-type": "application/json", "user-agent": "lockgate"}
_LATER = frozenset({408, 425, 429})
"""Answers of the 4xx kind after which another try makes sense."""
LONGEST_WAIT_MS = 5 * 60_000
"""Of what another server may ask for (Retry-After)."""


class Sender:
    """``fetch_of``: the way to one channel's own origin, and to no other."""

    def __init__(
        self, fetch_of: Callable[[Webhook | Slack], Fetch], now_ms: Callable[[], int]
    ) -> None:
        self._fetch_of = fetch_of
        self._now_ms = now_ms

    async def __call__(self, channel: AnyChannel, message: Message) -> None:
        """Raises ``NotTaken``."""
        if channel.broken:
            raise NotTaken(channel.broken)
        if isinstance(channel, Email):
            await asyncio.to_thread(hand_over, email_of(message, channel), channel)
        elif isinstance(channel, Slack):
            await self._post(channel, slack_body(message, channel), {})
        else:
            body = webhook_body(message, channel)
            await self._post(channel, body, self._signed(channel, message, body))

    def _signed(self, channel: Webhook, message: Message, body: bytes) -> dict[str, str]:
        try:
            return signed(f"msg_{message.id}", self._now_ms() // 1_000, body, channel.secrets)
        except SecretUnfit as unfit:
            raise NotTaken(str(unfit)) from None

    async def _post(self, channel: Webhook | Slack, body: bytes, headers: dict[str, str]) -> None:
        try:
            answer = await self._fetch_of(channel)("POST", channel.url, {**_JSON, **headers}, body)
        except FetchFailed as failure:
            raise NotTaken(str(failure)) from None
        _check(answer)


def _check(answer: Fetched) -> None:
    if 200 <= answer.status < 300:
        return
    final = 300 <= answer.status < 500 and answer.status not in _LATER
    asked = answer.headers.get("retry-after", "")
    wait = min(int(asked) * 1_000, LONGEST_WAIT_MS) if asked.isdecimal() and asked.isascii() else 0
    moved = "; redirects are not followed" if 300 <= answer.status < 400 else ""
    raise NotTaken(f"it answered {answer.status}{moved}", final=final, wait=wait)
