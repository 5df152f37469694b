"""A message the wire cannot take."""

from lockgate.model import REASONS, Json, Uncatalogued


class WireRefusal(Exception):
    """Raised by every reader in this room instead of letting a parser error out.

    ``reason`` is a catalogue code; ``detail`` is safe to show to whoever sent the message and
    never quotes it. ``id`` is the JSON-RPC id, where it could be read. ``data`` goes into the
    error's ``data`` (the supported versions, for one).

    Raises ``Uncatalogued`` for a reason that ``model/reasons.py`` does not list.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        id: int | str | None = None,
        data: dict[str, Json] | None = None,
    ) -> None:
        if reason not in REASONS:
            raise Uncatalogued(reason)
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.id = id
        self.data = data
