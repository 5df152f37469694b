"""What of a person and of a group SCIM sees here, and what the service says of itself.

Only attributes that decide something are declared. Identity providers send more (real names,
addresses, departments): it is dropped, not kept (RFC 7644, 3.3; GDPR, 5(1)(c)).
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field
from scim2_models import (
    URN,
    AnyExtension,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    Filter,
    Meta,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from lockgate.model import Group, Person

MOST = 200
"""Resources in one answer."""

POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    # As Microsoft Entra removes members from a group.
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
)


class GroupOfUser(ComplexAttribute):
    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """Id of the group."""
    display: Annotated[str | None, Mutability.read_only] = None
    """Its name."""


class EmployeeOfUser(Extension):
    """RFC 7643, 4.3, as far as it tells who is the same person."""

    __schema__ = URN("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")

    employee_number: str | None = None
    """Two accounts with the same number are one person's: neither approves what the other asked."""


class CoreUser(Resource[AnyExtension]):
    """RFC 7643, 4.1, as far as it decides who is let in."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The name that the person's credentials give them here."""
    active: Annotated[bool | None, Required.true] = None
    """False: nothing of theirs is accepted any more. Cannot be unassigned; who leaves it out leaves
    it as it is."""
    groups: Annotated[list[GroupOfUser] | None, Mutability.read_only] = None
    """The groups that name them as a member."""


UserResource = CoreUser[EmployeeOfUser]


class MemberOfGroup(ComplexAttribute):
    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """Id of the user."""
    ref: Annotated[
        Reference["User"] | None,  # type: ignore[name-defined]  # noqa: F821
        Mutability.immutable,
    ] = Field(None, serialization_alias="$ref", validation_alias="$ref")
    """Where the user is. Groups in groups are not taken."""


class GroupResource(Resource[Any]):
    """RFC 7643, 4.2."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    """The name that roles are mapped from."""
    members: list[MemberOfGroup] | None = None
    """Users only."""


CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=True),
    etag=ETag(supported=False),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer token",
            description="A secret of this endpoint alone (RFC 6750, 2.1)",
            primary=True,
        )
    ],
)

PROVIDER = ScimProvider(
    [CoreUser, EmployeeOfUser, GroupResource],
    [ResourceType.from_resource(UserResource), ResourceType.from_resource(GroupResource)],
    config=CONFIG,
    policy=POLICY,
)


def shown_person(one: Person, base: str, groups: dict[str, str]) -> UserResource:
    """``groups``: name of each group the person is in, by its id."""
    shown = UserResource(
        id=one.id,
        external_id=one.external_id or None,
        user_name=one.user_name,
        active=one.active,
        groups=[GroupOfUser(value=id, display=name) for id, name in groups.items()] or None,
        meta=_meta("User", f"{base}/Users/{one.id}", one),
    )
    if one.employee:
        shown[EmployeeOfUser] = EmployeeOfUser(employee_number=one.employee)
    return shown


def shown_group(one: Group, base: str) -> GroupResource:
    return GroupResource(
        id=one.id,
        external_id=one.external_id or None,
        display_name=one.name,
        members=[_member(id, base) for id in sorted(one.members)] or None,
        meta=_meta("Group", f"{base}/Groups/{one.id}", one),
    )


def _member(id: str, base: str) -> MemberOfGroup:
    return MemberOfGroup.model_validate({"value": id, "$ref": f"{base}/Users/{id}"})


def _meta(kind: str, location: str, one: Person | Group) -> Meta:
    return Meta(
        resource_type=kind,
        location=location,
        created=datetime.fromtimestamp(one.created / 1000, UTC),
        last_modified=datetime.fromtimestamp(one.learned / 1000, UTC),
    )
