"""What a ``@drop`` pointer finds in the params of a call. Lists are not entered."""

from collections.abc import Mapping
from typing import Any

from lockgate.wire.edit import tokens
from lockgate.wire.keys import respelt


def holds(params: Mapping[str, Any], pointer: str) -> bool:
    """Whether there is something to drop. A call that no longer carries it owes nothing, so judging
    it again finds no change."""
    tree: Any = params
    for key in tokens(pointer):
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True


def misses(params: Mapping[str, Any], pointer: str) -> bool:
    """Whether something on the way is there under another spelling: dropping would leave it, and
    the server might read it."""
    tree: Any = params
    for key in tokens(pointer):
        if not isinstance(tree, dict):
            return False
        if respelt(tree, (key,)):
            return True
        tree = tree.get(key)
    return False
