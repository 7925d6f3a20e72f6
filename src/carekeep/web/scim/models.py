"""What the directory can say here, as models. Our schemas are those of RFC 7643 less what nobody here needs to know.

What a directory sends beyond (addresses, telephones, passwords) is passed over and kept nowhere, as RFC 7643 section
2.1 lets a service provider whose schema does not have it; Entra ID and Okta send such by default.
"""

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
    External,
    Filter,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    Returned,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from carekeep.identity.provisioning import PEOPLE

PAGE = 100
LONGEST_PAGE = 200

POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""Entra ID says ``remove`` with a value, and writes to entries that are not there yet."""

_KINDS = [kind.value for kind in PEOPLE]


class InRecords(Extension):
    """Who the person is in the health records."""

    __schema__ = URN("urn:carekeep:params:scim:schemas:1.0:User")

    fhir_user: Annotated[str | None, CaseExact.true, Uniqueness.server] = None
    """Practitioner/…, Patient/… or RelatedPerson/…: who it is in the records; needed for practitioners and patients."""


class User(Resource[AnyExtension]):
    """The account of a person."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    external_id: Annotated[str | None, CaseExact.true, Uniqueness.server] = None
    """What the directory calls the person."""

    user_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    """What the person signs in with."""

    display_name: Annotated[str | None, Required.true] = None
    """The person's whole name."""

    user_type: Annotated[str | None, Required.true, Mutability.immutable] = Field(None, examples=_KINDS)
    """What the account is for; it never changes."""

    active: Annotated[bool | None, Required.true] = None
    """False: the person cannot sign in, and everything that was signed in has ended."""


class Member(ComplexAttribute):
    """Somebody of a group."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """The id of the account."""

    ref: Annotated[Reference[User] | None, Mutability.read_only] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """Where the account is."""


class Group(Resource[Any]):
    """All accounts of one kind. Membership follows from userType, so nothing of it can be written."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true, Mutability.read_only] = None
    """The kind."""

    members: Annotated[list[Member] | None, Mutability.read_only, Returned.request] = None
    """Everybody of that kind."""


Person = User[InRecords]

CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=LONGEST_PAGE),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=True),
    pagination=Pagination(
        cursor=False,
        index=True,
        default_pagination_method=Pagination.DefaultPaginationMethod.index,
        default_page_size=PAGE,
        max_page_size=LONGEST_PAGE,
    ),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer token",
            description="A token of an app account that has the grant scim",
            spec_uri=Reference[External]("https://www.rfc-editor.org/info/rfc6750"),
            primary=True,
        )
    ],
)

PROVIDER = ScimProvider(
    models=[User, InRecords, Group],
    resource_types=[ResourceType.from_resource(Person), ResourceType.from_resource(Group)],
    config=CONFIG,
    policy=POLICY,
)
"""What is served, and how payloads are read."""
