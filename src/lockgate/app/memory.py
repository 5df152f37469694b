"""How often memory is looked through for what only cycles still hold."""

import gc

_SELDOM = (20_000, 20, 50)
"""Objects, and younger collections, after which the garbage collector looks by itself."""


def settle() -> None:
    """Everything is loaded and stays, and calls leave next to no cycles: nothing is gained by
    looking for them among all of it again and again, in each of several workers too."""
    gc.freeze()
    gc.set_threshold(*_SELDOM)


async def collect() -> None:
    """Now, all of it: for what is over, though it is old."""
    gc.collect()
