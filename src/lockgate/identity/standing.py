"""Whether the person behind an accepted credential still works here, whatever its kind.

Leavers, and what a directory adds: groups become roles. Wrapped around all that checks credentials,
so that no kind of credential, remembered or fresh, gets by.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Person, Principal
from lockgate.model.person import folded


class PeopleBook(Protocol):
    """Everybody who is known to work here, in memory."""

    def fresh(self, now_ms: int) -> bool:
        """False when a leaver may have been missed."""
        ...

    def named(self, name: str) -> Sequence[Person]:
        """Whose user name or external id is exactly this; also who is inactive or deleted."""
        ...

    def alike(self, name: str) -> Sequence[Person]:
        """Whose user name or external id differs from this at most in case."""
        ...

    def groups_of(self, person: Person) -> frozenset[str]: ...

    def heard(self, source: str) -> int:
        """When ``source`` was last read to its end: milliseconds; 0 for never."""
        ...


class Checks(Protocol):
    """``identity.authenticate.Authenticator``."""

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal: ...

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int
    ) -> Principal | AuthRefusal: ...

    def later(
        self, known: Principal, since_ms: int, peer: str, now_ms: int
    ) -> Principal | AuthRefusal: ...

    def forget(self, holder: str) -> None:
        """Hold nothing of theirs any more."""
        ...


class Rules(msgspec.Struct, frozen=True):
    """What is made of what the directory says."""

    sources: frozenset[str] = frozenset()
    """Whose yes counts. A no counts from anybody who ever said it."""
    required: bool = False
    """Nobody is let in whom no source knows."""
    roles: Mapping[str, frozenset[str]] = {}
    """Roles for the members of a group, by its folded name."""
    oldest_ms: Mapping[str, int] = {}
    """For sources that are read by us: how long ago at most, or nobody is let in."""


class Standing:
    """``checks`` with a second look at whom it accepts. Not for several threads."""

    def __init__(self, checks: Checks, book: PeopleBook, rules: Rules) -> None:
        self._checks = checks
        self._book = book
        self.rules = rules
        """Replaced whole on reload."""

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        """Who sends this request."""
        found = await self._checks.authenticate(evidence, now_ms)
        judged = self._standing(found, now_ms)
        if isinstance(judged, AuthRefusal) and isinstance(found, Principal):
            self._checks.forget(found.holder)
        return judged

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> Principal | AuthRefusal:
        """Who it is that sent it, if what was accepted then would be accepted now."""
        return self._standing(await self._checks.recheck(evidence, now_ms, grace_ms), now_ms)

    def later(
        self, known: Principal, since_ms: int, peer: str, now_ms: int
    ) -> Principal | AuthRefusal:
        """Who was let in at ``since_ms`` as ``known``, as they are known now: for what they asked
        for then and goes on without them. Roles that a directory may have given are its to say."""
        bare = known
        if "oauth" in known.authn:
            given = frozenset(role for roles in self.rules.roles.values() for role in roles)
            bare = msgspec.structs.replace(known, roles=known.roles - given)
        return self._standing(self._checks.later(bare, since_ms, peer, now_ms), now_ms)

    def knows(self, now_ms: int) -> bool:
        """False while nobody is let in, because a leaver may have been missed."""
        return not self._stale(now_ms)

    def _stale(self, now_ms: int) -> str:
        """What is too old to rely on; empty for nothing."""
        if not self._book.fresh(now_ms):
            return "the directory"
        oldest = self.rules.oldest_ms.items()
        late = (name for name, ms in oldest if abs(now_ms - self._book.heard(name)) > ms)
        return next(late, "")

    def _standing(self, found: Principal | AuthRefusal, now_ms: int) -> Principal | AuthRefusal:
        if isinstance(found, AuthRefusal):
            return found
        stale = self._stale(now_ms)
        if stale:
            return AuthRefusal("auth.unknown", f"{stale} was not read lately")
        if any(self.left(name) for name in _answerable(found)):
            return AuthRefusal("auth.inactive", f"{found.id}, its owner or an actor is inactive")
        if self.rules.required and not self._known(found):
            return AuthRefusal("auth.inactive", f"{found.id} or its owner is in no directory")
        return self._with_roles(found)

    def left(self, name: str) -> bool:
        """Some source says that whoever has this name, in whatever case, is not active.

        Sources do not overrule each other: one no is enough. A deleted row counts only until its
        source has someone of that name again.
        """
        alike = self._book.alike(name)
        there = {one.source for one in alike if not one.deleted}
        return any(not one.active for one in alike if not one.deleted or one.source not in there)

    def _known(self, found: Principal) -> bool:
        name = found.subject if found.kind == "person" else found.owner
        return not name or any(self._good(name))

    def _good(self, name: str) -> Iterator[Person]:
        for one in self._book.named(name):
            if one.active and not one.deleted and one.source in self.rules.sources:
                yield one

    def _with_roles(self, found: Principal) -> Principal:
        """The groups of a service's owner are not the service's."""
        if found.kind != "person" or not self.rules.roles:
            return found
        more = frozenset(role for one in self._alone(found.subject) for role in self._roles(one))
        return msgspec.structs.replace(found, roles=found.roles | more) if more else found

    def _alone(self, name: str) -> list[Person]:
        """Without those whom a source tells twice under one name: nobody knows which is meant."""
        good = list(self._good(name))
        sources = [one.source for one in good]
        return [one for one in good if sources.count(one.source) == 1]

    def _roles(self, one: Person) -> Iterator[str]:
        for group in self._book.groups_of(one):
            yield from self.rules.roles.get(folded(group), ())


def _answerable(found: Principal) -> Iterator[str]:
    """Every person on whose account this principal acts."""
    if found.kind == "person":
        yield found.subject
    yield from {found.owner, *found.actors} - {"", found.subject}
