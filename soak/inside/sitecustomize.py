"""Runs inside each gateway process of a soak, before its program: answers SIGUSR1 with one line of
JSON about the event loop, appended to ``$SOAK_SAMPLES/<pid>``. Not a part of the gateway."""

import asyncio
import gc
import json
import os
import signal
import threading
import weakref
from collections import Counter
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_KEPT = {
    "GroupCommitJournal": "backlog", "InFlight": "running", "Parking": "parked",
    "Asking": "open", "Replay": "kept", "Hub": "open",
}  # fmt: skip
"""Classes of the gateway, and the property of each that says how much it holds."""
_DULL = (type, ModuleType, str, bytes, int, float, frozenset, CodeType)
_MOST = 300_000
"""Objects looked at. Those of the gateway come early."""
_found: "dict[str, weakref.ref[Any]]" = {}


def _sample() -> dict[str, Any]:
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        tasks = set()
    names = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in tasks)
    return {"tasks": len(tasks), "threads": threading.active_count(), "kinds": names,
            "held": {name: getattr(one, _KEPT[name], -1) for name, one in _parts()}}  # fmt: skip


def _parts() -> list[tuple[str, Any]]:
    if len(_found) < len(_KEPT):
        _find()
    return [(name, one()) for name, one in _found.items() if one() is not None]


def _find() -> None:
    """Along references from what runs: a frozen heap is in no list of the collector's."""
    waiting: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _DULL):
            continue
        seen.add(id(one))
        name = type(one).__name__
        if name in _KEPT and type(one).__module__.startswith("lockgate."):
            _found[name] = weakref.ref(one)
        waiting += gc.get_referents(one)


def _answer(number: int, frame: object) -> None:
    place = Path(os.environ["SOAK_SAMPLES"]) / str(os.getpid())
    with place.open("a") as book:
        book.write(json.dumps(_sample()) + "\n")


if "SOAK_SAMPLES" in os.environ:
    signal.signal(signal.SIGUSR1, _answer)
