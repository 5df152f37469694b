"""What a stdio client's requests carry as their credential, from one request to the next."""

from typing import Protocol


class NotSignedIn(Exception):
    """There is nothing to show to the gateway. The text is for the person; it holds no secret."""


class Bearer(Protocol):
    """Asked before every request, so that each carries what is valid then."""

    async def current(self) -> str:
        """Raises ``NotSignedIn``."""
        ...

    async def instead_of(self, refused: str) -> str:
        """Another one, after the gateway answered 401 to ``refused``; empty where there is none.

        Raises ``NotSignedIn``.
        """
        ...

    async def settle(self) -> None:
        """Wait for what must not be left half done when the process ends."""
        ...


class FixedBearer:
    """A personal key: it is what it is."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def current(self) -> str:
        return self._key

    async def instead_of(self, refused: str) -> str:  # noqa: ARG002 - there is no other
        return ""

    async def settle(self) -> None:
        return
