"""What a directory lists, taken over: who is new, who changed, who is not there any more."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from lockgate.control_plane.services.people import NameTaken, Overtaken, People, check_name
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Person
from lockgate.model.person import DirectoryDown, Listed, folded

_AT_ONCE = 500
"""Rows of one transaction: a first reading must not keep calls from the journal."""


class Reading:
    """Of one source. Whoever is listed no more is inactive, not deleted: their keys come back with
    them, since an entry that is out of sight is no proof that somebody has left for good."""

    def __init__(self, people: People, source: str) -> None:
        self._people = people
        self.source = source

    def take(self, listed: Sequence[Listed]) -> int:
        """How many changed. Raises ``StoreDown``, and ``DirectoryDown`` where it lists nobody or
        somebody else writes at the same time."""
        usable = [one for one in listed if _plain(one)]
        if not usable:
            raise DirectoryDown(f"{self.source} lists nobody")
        known = [one for one in self._people.list() if one.source == self.source]
        away, moved, others = self._compared(known, _told_once(usable))
        try:
            # Names that are given up first, those that pass from one to another all at once.
            for some in (*_slices(away), moved, *_slices(others)):
                if some:
                    self._people.write(some)
        except (NameTaken, Overtaken) as meanwhile:
            raise DirectoryDown(f"{self.source} was changed while it was taken over") from meanwhile
        return len(away) + len(moved) + len(others)

    def _compared(
        self, known: Sequence[Person], listed: Sequence[Listed]
    ) -> tuple[list[Person], list[Person], list[Person]]:
        """Who is away, who has another name, and who else is new or changed."""
        by_id = {one.external_id: one for one in known if one.external_id}
        by_name = {folded(one.user_name): one for one in known}
        seen: set[str] = set()
        moved: list[Person] = []
        others: list[Person] = []
        for one in listed:
            before = by_id.get(one.external_id) or _same(by_name.get(folded(one.user_name)), one)
            after = self._after(one, before)
            seen.add(after.id)
            if after != before:
                renamed = before is not None and before.user_name != after.user_name
                (moved if renamed else others).append(after)
        taken = {folded(one.user_name) for one in listed}
        gone = [(self._left(one, taken), one) for one in known if one.id not in seen]
        return [left for left, before in gone if left != before], moved, others

    def _left(self, one: Person, taken: set[str]) -> Person:
        """``taken``: folded names of who is listed. What another is called is theirs no more."""
        left = msgspec.structs.replace(one, active=False, groups=frozenset())
        return self._people.deleted(left) if folded(one.user_name) in taken else left

    def _after(self, one: Listed, before: Person | None) -> Person:
        if before is None:
            before = Person(self._people.new_id(), self.source, "")
        return msgspec.structs.replace(
            before, user_name=one.user_name, external_id=one.external_id or before.external_id,
            active=one.active, groups=one.groups, employee=one.employee,
        )  # fmt: skip


def _told_once(listed: Sequence[Listed]) -> list[Listed]:
    """A name or an id that is told twice is nobody's: it is not known which of them is meant."""
    names = Counter(folded(one.user_name) for one in listed)
    ids = Counter(one.external_id for one in listed if one.external_id)
    found: dict[str, Listed] = {}
    for one in listed:
        if names[folded(one.user_name)] > 1 or ids[one.external_id] > 1:
            one = Listed(one.user_name, active=False, employee=one.employee)
        found.setdefault(folded(one.user_name), one)
    return list(found.values())


def _plain(one: Listed) -> bool:
    try:
        check_name("A name", one.user_name)
        if one.external_id:
            check_name("An id", one.external_id)
        if one.employee:
            check_name("An employee number", one.employee)
    except Refused:
        return False
    return True


def _same(before: Person | None, one: Listed) -> Person | None:
    """Found by name: another one, where both have an id, and not the same."""
    if before is None or (one.external_id and before.external_id):
        return None
    return before


def _slices(rows: Sequence[Person]) -> Iterator[Sequence[Person]]:
    return (rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE))
