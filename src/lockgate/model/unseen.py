"""Characters that leave nothing on the screen, or reorder what is on it. Pure."""

import unicodedata

_BLANK = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180F, 0x2800, 0x3164, 0xFFA0, 0x1D159}
    | {*range(0x180B, 0x180E), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)
"""Letters, marks and symbols that are drawn as nothing: those of Default_Ignorable_Code_Point
(Unicode 15, DerivedCoreProperties.txt) that no category tells, and two blank symbols. Bytes can be
hidden in sequences of variation selectors."""


def unseen(character: str) -> bool:
    """Of control, format and separator characters, of unassigned and private ones, and of blank
    letters; also of the space."""
    return unicodedata.category(character)[0] in "CZ" or ord(character) in _BLANK
