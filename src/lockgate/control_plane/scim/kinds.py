"""Users and groups, as the endpoint handles both alike."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import msgspec
from scim2_models import InvalidValueException, Resource, ScimFilter
from scim2_models.path import CompareOperator, Comparison

from lockgate.control_plane.scim.resources import (
    EmployeeOfUser,
    GroupResource,
    UserResource,
    shown_group,
    shown_person,
)
from lockgate.control_plane.services.people import People, Row, check_name
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Group, Json, Person
from lockgate.model.person import SCIM

_NAMES = ("username", "externalid")
"""What identity providers look people up by, before each change."""


class Kind(Protocol):
    """One resource type over one request. Blocks; raises ``StoreDown``."""

    @property
    def model(self) -> type[Resource[Any]]: ...

    def find(self, id: str) -> Row | None:
        """None also for what another source says, or what was deleted."""
        ...

    def candidates(self, filter: ScimFilter[Any] | None) -> Sequence[Row]:
        """Everything that ``filter`` may match, and perhaps more."""
        ...

    def show(self, row: Row) -> Resource[Any]:
        """``row``: from ``find`` or ``candidates``."""
        ...

    def complete(self, said: Json, before: Row | None) -> Json:
        """What was sent, and what it may leave out."""
        ...

    def draft(self, wanted: Any, before: Row | None) -> Row:
        """Raises ``InvalidValueException``."""
        ...


class Users:
    model: type[Resource[Any]] = UserResource

    def __init__(self, people: People, base: str) -> None:
        self._people = people
        self._base = base
        self._groups: dict[str, dict[str, str]] | None = None

    def find(self, id: str) -> Person | None:
        found = self._people.find(id)
        return found if isinstance(found, Person) and _ours(found) else None

    def candidates(self, filter: ScimFilter[Any] | None) -> Sequence[Person]:
        name = _name_asked(filter)
        known = self._people.list() if name is None else self._people.called(name)
        return [one for one in known if _ours(one)]

    def show(self, row: Row) -> UserResource:
        if self._groups is None:
            self._groups = self._memberships()
        return shown_person(cast("Person", row), self._base, self._groups.get(row.id, {}))

    def complete(self, said: Json, before: Row | None) -> Json:
        """Who says nothing of ``active`` leaves it as it is; a new person is active."""
        if not isinstance(said, dict) or any(name.lower() == "active" for name in said):
            return said
        return {**said, "active": before.active if isinstance(before, Person) else True}

    def draft(self, wanted: UserResource, before: Row | None) -> Person:
        name, external = wanted.user_name or "", wanted.external_id or ""
        _check("userName", name)
        if external:
            _check("externalId", external)
        employee = _employee(wanted)
        if not isinstance(before, Person):
            before = Person(self._people.new_id(), SCIM, name)
        return msgspec.structs.replace(
            before, user_name=name, external_id=external, active=wanted.active is True,
            employee=employee,
        )  # fmt: skip

    def _memberships(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for group in self._people.groups():
            for member in group.members:
                found.setdefault(member, {})[group.id] = group.name
        return found


class Groups:
    model: type[Resource[Any]] = GroupResource

    def __init__(self, people: People, base: str) -> None:
        self._people = people
        self._base = base

    def find(self, id: str) -> Group | None:
        found = self._people.find(id)
        return found if isinstance(found, Group) and _ours(found) else None

    def candidates(self, filter: ScimFilter[Any] | None) -> Sequence[Group]:  # noqa: ARG002
        return [one for one in self._people.groups() if _ours(one)]

    def show(self, row: Row) -> GroupResource:
        return shown_group(cast("Group", row), self._base)

    def complete(self, said: Json, before: Row | None) -> Json:  # noqa: ARG002
        return said

    def draft(self, wanted: GroupResource, before: Row | None) -> Group:
        name, external = wanted.display_name or "", wanted.external_id or ""
        _check("displayName", name)
        if external:
            _check("externalId", external)
        members = frozenset(one.value or "" for one in wanted.members or ())
        known = before.members if isinstance(before, Group) else frozenset()
        self._check_members(members - known)
        if isinstance(before, Group):
            return msgspec.structs.replace(before, name=name, external_id=external, members=members)
        return Group(self._people.new_id(), SCIM, name, external, members)

    def _check_members(self, ids: frozenset[str]) -> None:
        people = {p.id for p in self._people.found(sorted(ids)) if isinstance(p, Person)}
        if ids - people:
            raise InvalidValueException(detail="members holds what is no user here")


def _employee(wanted: UserResource) -> str:
    more = wanted[EmployeeOfUser]
    number = (more.employee_number or "") if more else ""
    if number:
        _check("employeeNumber", number)
    return number


def _ours(row: Row) -> bool:
    """An identity provider sees and changes only what it said itself."""
    return row.source == SCIM and not row.deleted


def _name_asked(filter: ScimFilter[Any] | None) -> str | None:
    """The one name that a filter asks for; None where it asks something else."""
    asked = filter.ast if filter is not None else None
    if not isinstance(asked, Comparison) or asked.op != CompareOperator.eq:
        return None
    path = asked.attr_path
    named = path.attr.lower() in _NAMES and not path.sub_attr
    return asked.value if named and isinstance(asked.value, str) else None


def _check(what: str, value: str) -> None:
    try:
        check_name(what, value)
    except Refused as refused:
        raise InvalidValueException(detail=refused.why) from refused
