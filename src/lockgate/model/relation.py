"""Who stands in which relation to what, as a source says."""

import msgspec


class Tie(msgspec.Struct, frozen=True, order=True):
    """``who`` is ``relation`` of ``entity``: ``alice`` is ``lead`` of ``p-011``."""

    entity: str
    relation: str
    who: str
