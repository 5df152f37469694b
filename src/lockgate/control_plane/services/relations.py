"""Who answers for what, told by a file: the lead of a care team, the owner of an account."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.people import check_name
from lockgate.control_plane.services.refused import Refused
from lockgate.model.relation import Tie

HEADER = ["entity", "relation", "who"]
_TOLD = 10
"""Mistakes of a file that are named at once."""


class RelationStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def replace(self, source: str, ties: Iterable[Tie]) -> int: ...

    def changed_relations(
        self, since: int
    ) -> tuple[int, Mapping[tuple[str, str], frozenset[str]]] | None: ...


class Relations:
    def __init__(self, store: RelationStore, acting: Acting) -> None:
        self._store = store
        self._acting = acting

    def load(self, source: str, text: str) -> int:
        """All that ``source`` says from now on; what it said before is gone. How many there are.
        Raises ``Refused`` for a file with a mistake anywhere: then nothing changed."""
        check_name("The source", source)
        ties = read_ties(text)
        about = {"action": "relations.replace", "target": source, "count": len(ties)}
        self._acting.record(self._acting.event(about, at=self._acting.now_ms()))
        return self._store.replace(source, ties)

    def list(self, entity: str = "") -> tuple[Tie, ...]:
        """What all sources say together, sorted; of one entity, or of all."""
        found = self._store.changed_relations(-1)
        held = found[1] if found else {}
        ties = (Tie(e, r, who) for (e, r), names in held.items() for who in names)
        return tuple(sorted(tie for tie in ties if entity in ("", tie.entity)))


def read_ties(text: str) -> Sequence[Tie]:
    """CSV (RFC 4180) whose first line is ``entity,relation,who``. Raises ``Refused`` by line."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if next(rows, None) != HEADER:
            raise Refused("Line 1 is not the header.", f"Begin the file with {','.join(HEADER)}")
        numbered = [(rows.line_num, row) for row in rows if row]
    except csv.Error as error:
        raise Refused(f"Line {rows.line_num} is not CSV: {error}.") from error
    mistakes = list(_mistakes(numbered))
    if mistakes:
        more = f" and {len(mistakes) - _TOLD} more" if len(mistakes) > _TOLD else ""
        raise Refused("; ".join(mistakes[:_TOLD]) + more, "Nothing was changed.")
    return [Tie(*row) for _, row in numbered]


def _mistakes(rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[str]:
    for line, row in rows:
        if len(row) != len(HEADER):
            yield f"line {line} has {len(row)} fields, not {len(HEADER)}"
            continue
        for name, value in zip(HEADER, row, strict=True):
            try:
                check_name(name, value)
            except Refused:
                yield f"line {line}: {name} is no plain name"
