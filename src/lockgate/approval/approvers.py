"""Who may answer which question: one rule for showing it, for voting, and before it is used."""

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Protocol

import msgspec

from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.model import Person
from lockgate.model.inquiry import ENTITY, Delegation, Inquiry, Need, Vote
from lockgate.model.person import folded

PROVIDED = "oidc:"
"""Whom the identity provider vouches for: what directories say of a name is said of them. An
account of the machine with that name may be anybody's; ``admin.accounts`` says whose it is."""
APPROVER, RESPONDER = "approver", "responder"
"""Admin roles: answers where a factor names nobody; stops anything."""


class People(Protocol):
    """Everybody who is known to work here, in memory: ``store.directory.Directory``."""

    def alike(self, name: str) -> Sequence[Person]: ...

    def employed(self, number: str) -> Sequence[Person]: ...

    def groups_of(self, person: Person) -> frozenset[str]: ...


class Standing(Protocol):
    """What is known of identities and entities now. Raises ``model.StoreDown`` where it is not."""

    def roles(self, identity: str) -> Set[str]:
        """Admin roles held now."""
        ...

    def related(self, entity: str, relation: str) -> Set[str]:
        """Names of who stands in ``relation`` to ``entity``."""
        ...

    def delegations(self) -> Iterable[Delegation]: ...


class Voice(msgspec.Struct, frozen=True):
    """What one person may say to one question."""

    factors: frozenset[str] = frozenset()
    by: str = ""
    """Identity of who let them, where it is by delegation alone."""
    own: bool = False
    """It is their own question, by whatever name they come."""
    veto: bool = False


class Approvers:
    def __init__(self, rules: ApprovalRules, people: People, standing: Standing) -> None:
        self.rules = rules
        self._people = people
        self._standing = standing

    def voice(self, identity: str, one: Inquiry, now: int, alias: str = "") -> Voice:
        """``alias``: what policy calls whoever it is, where that is another name. Raises
        ``StoreDown``."""
        mine = {identity, alias} - {""}
        own = any(self.same(me, name) for me in mine for name in one.excluded)
        veto = self.stops(identity)
        if not self.active(identity):
            return Voice(own=own)
        if own:
            return Voice(self._confirms(mine, one), own=True, veto=veto)
        if any(self._may_be(me, name) for me in mine for name in one.excluded):
            return Voice(veto=veto)
        speaks = frozenset(n.factor for n in one.needs if self._speaks(identity, n, one, now))
        if speaks:
            return Voice(speaks, veto=veto)
        for given in self._standing.delegations():
            lent = self._lent(given, identity, one, now)
            if lent:
                return Voice(lent, given.giver, veto=veto)
        return Voice(veto=veto)

    def asked(self, one: Inquiry, now: int, identities: Iterable[str]) -> Iterator[str]:
        """Who of ``identities`` is to be told of the question: may answer and is not away."""
        away = {d.giver for d in self._standing.delegations() if d.away and d.active(now)}
        for identity in identities:
            if identity not in away and self.voice(identity, one, now).factors:
                yield identity

    def stops(self, identity: str) -> bool:
        """Whether they may stop anything. Raises ``StoreDown``, as all here."""
        return identity in self.rules.vetoers or RESPONDER in self._standing.roles(identity)

    def may_lend(self, identity: str, factor: str) -> bool:
        """Whether there is anything they could be asked for: for ``factor``, or for any. What a
        relation lends is only known of each question."""
        named = [self.rules.of(factor)] if factor else [*self.rules.factors.values(), FactorRule()]
        return self.active(identity) and any(self._may(identity, rule) for rule in named)

    def _may(self, identity: str, rule: FactorRule) -> bool:
        if rule.fixed or rule.confirm:
            return False
        if rule.open:
            return APPROVER in self._standing.roles(identity)
        named = identity in rule.people or identity in rule.escalate_to or bool(rule.relation)
        return named or self._grouped(identity, rule)

    def active(self, identity: str) -> bool:
        """No source says that they left."""
        alike = self._people.alike(name_of(identity))
        there = {one.source for one in alike if not one.deleted}
        return all(one.active for one in alike if not one.deleted or one.source not in there)

    def same(self, one: str, other: str) -> bool:
        """Whether two names or identities are one person's: in any case of letters, and through
        other accounts that a source knows by the same external id or employee number."""
        return bool(self._names({name_of(one)}) & self._names({name_of(other)}))

    def _may_be(self, one: str, other: str) -> bool:
        """Whether they could be: ``corp/alice`` of an access token may be whom the machine and the
        console's identity call ``alice``. It takes a yes away, and never gives anything."""
        return bool(self._names(self._spelt(one)) & self._names(self._spelt(other)))

    def distinct(self, votes: Iterable[Vote]) -> tuple[Vote, ...]:
        """The yeses of different people: of several by accounts of one person, or by them and whom
        they let answer for them, the first."""
        found: list[Vote] = []
        for one in votes:
            if one.answer == "yes" and not any(self._together(one, other) for other in found):
                found.append(one)
        return tuple(found)

    def _together(self, one: Vote, other: Vote) -> bool:
        mine, theirs = _behind(one), _behind(other)
        return any(self._may_be(a, b) for a in mine for b in theirs)

    def _names(self, called: Set[str]) -> Set[str]:
        found = set(map(folded, called))
        waiting = set(found)
        while waiting:
            alike = self._people.alike(waiting.pop())
            same = [other for one in alike for other in (one, *self._people.employed(one.employee))]
            more = {folded(known) for person in same for known in person.names} - found
            found |= more
            waiting |= more
        return found

    def _spelt(self, name: str) -> Set[str]:
        called = name_of(name)
        return {called, *(called.removeprefix(before) for before in self.rules.namespaces)}

    def _confirms(self, names: Set[str], one: Inquiry) -> frozenset[str]:
        """Only the acting person, never an owner or another account of theirs."""
        kind, _, subject = one.holder.partition(":")
        called = {folded(name_of(name)) for name in names}
        mine = kind == "person" and folded(subject) in called
        factors = (n.factor for n in one.needs if self.rules.of(n.factor).confirm)
        return frozenset(factors) if mine else frozenset()

    def _speaks(self, identity: str, need: Need, one: Inquiry, now: int) -> bool:
        rule = self.rules.of(need.factor)
        if rule.confirm:
            return False
        waited = now - one.created >= rule.escalate_after
        if identity in rule.people or (waited and identity in rule.escalate_to):
            return True
        if rule.open:
            return APPROVER in self._standing.roles(identity)
        return self._grouped(identity, rule) or self._related(identity, rule, one)

    def _grouped(self, identity: str, rule: FactorRule) -> bool:
        if not rule.groups or not identity.startswith(PROVIDED):
            return False
        alike = self._people.alike(name_of(identity))
        good = (person for person in alike if person.active and not person.deleted)
        return any(rule.groups & self._people.groups_of(person) for person in good)

    def _related(self, identity: str, rule: FactorRule, one: Inquiry) -> bool:
        entity = one.tool.get(f"{ENTITY}{rule.argument}", "")
        if not rule.relation or not entity or not identity.startswith(PROVIDED):
            return False
        related = self._standing.related(entity, rule.relation)
        return any(self.same(identity, name) for name in related)

    def _lent(self, given: Delegation, to: str, one: Inquiry, now: int) -> frozenset[str]:
        """Of a question's own people nobody lends anything: it would be their own yes."""
        if given.taker != to or not given.active(now) or not self.active(given.giver):
            return frozenset()
        giver = {given.giver, given.alias} - {""}
        if any(self._may_be(by, name) for by in giver for name in one.excluded):
            return frozenset()
        wanted = (
            n
            for n in one.needs
            if given.factor in ("", n.factor) and not self.rules.of(n.factor).fixed
        )
        return frozenset(n.factor for n in wanted if self._speaks(given.giver, n, one, now))


def _behind(one: Vote) -> Set[str]:
    """By which names whoever is behind it may be known."""
    return {one.voter, one.by_delegation, one.alias} - {""}


def name_of(identity: str) -> str:
    """``oidc:alice`` and ``os:alice`` are taken for one person: that is the stricter way."""
    kind, found, name = identity.partition(":")
    return name if found and kind in ("oidc", "os", "person", "service") else identity
