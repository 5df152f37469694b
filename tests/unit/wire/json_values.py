"""Random JSON, as values and as text with the freedom a sender has: white space and escapes."""

import json
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(max_size=12) | st.sampled_from(
    ["a", 'x":', " :", "\\", '"', "https://x/y:1", "a/b~c", "é😀", "\\u0061"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)
PROTOCOL = frozenset({
    "resultType", "ttlMs", "cacheScope", "_meta", "tools", "content", "contents", "messages",
})  # fmt: skip
"""Members with a meaning. Hypothesis finds them in our source and tries them."""
VENDOR = OBJECTS.map(lambda o: {k: v for k, v in o.items() if k not in PROTOCOL})
IDS = TEXT | st.integers(-(10**30), 10**30)


@st.composite
def written(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> bytes:
    """Some text of some value."""
    value = draw(values)
    return json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 0, 2, "\t"])),
        separators=draw(st.sampled_from([(",", ":"), (" ,\n", "\t : "), (", ", ": ")])),
    ).encode()
