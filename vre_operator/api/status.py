"""What the operator writes back. One writer only: itself, by server-side apply of the status subresource."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from vre_operator.api.base import Model
from vre_operator.api.rules import Unique


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class StatusCondition(Model):
    """One thing that is true or not, in the form that kubectl wait, Flux and Argo CD understand."""

    type: Annotated[str, Field(max_length=316)]
    """Ready, Reconciling, Stalled, or the name of one component such as HubReady."""
    status: ConditionStatus
    """True, False or Unknown."""
    observed_generation: int | None = None
    """The metadata.generation that the condition speaks of."""
    last_transition_time: AwareDatetime
    """When the status last changed."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """One stable CamelCase word that says why."""
    message: Annotated[str, Field(max_length=32768)]
    """The object concerned, the cause and the next step, for people."""


class Endpoints(Model):
    """Where people find the services."""

    url: str | None = None
    """The VRE's front page."""
    rucio: str | None = None
    """The Rucio server, when dataLake.hostname is set."""
    reana: str | None = None
    """REANA, when there are workflows."""


class Expiry(Model):
    """A credential that ends by itself."""

    name: str
    """What it is, or, of what a person brings, the field that names it."""
    expires: AwareDatetime
    """When it ends. What the operator can make anew is made anew long before; of the rest a condition says so
    two weeks before."""


class Offer(Model):
    """What sessions of an entry of the catalogue start."""

    name: str
    """Name of the entry."""
    image: str
    """The image, by digest where that is known."""
    since: AwareDatetime
    """Since when."""
    nodes: str | None = None
    """On how many of the nodes where sessions run its newest image is, as in 2/3; with prePull only."""


class WorkflowsStatus(Model):
    """What REANA says of itself."""

    revision: str = ""
    """Revision of its database's schema."""
    people: int = 0
    """People with a token."""


class RotationStatus(Model):
    """The last rotation of credentials."""

    asked: str = ""
    """The word in the annotation vre.science/rotate that was followed last."""
    started: AwareDatetime | None = None
    """When it began."""
    finished: AwareDatetime | None = None
    """When all was well with the new ones; absent while it is under way."""


class Given(Model):
    """A value that the site gave, and that stays although the site's default may change."""

    field: Annotated[str, Field(max_length=200)]
    """The field that the tenant left out."""
    value: Annotated[str, Field(max_length=500)]
    """What is there instead."""


class Followed(Model):
    """A value that the site gives, for as long as it gives that."""

    field: Annotated[str, Field(max_length=200)]
    """The field that the tenant left out."""
    value: Annotated[str, Field(max_length=5000)]
    """What is there instead; as JSON where it is no text."""


class Registration(Model):
    """What a person enters at the identity provider when identity.provider is manual."""

    role: str
    """Which service the client is for."""
    name: str = ""
    """What to call the client."""
    redirect_uris: tuple[str, ...] = ()
    """The redirect URIs, exactly."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where people are sent after a logout, exactly, where the provider asks for it."""
    scopes: tuple[str, ...] = ()
    """The scopes that the client must be allowed to ask for."""
    grant_types: tuple[str, ...] = ()
    """The grant types that the client must be allowed to use."""
    token_endpoint_auth_method: str | None = None
    """How the client proves itself at the token endpoint."""
    pkce: str | None = None
    """The code challenge method with which the client logs people in; none when it sends no challenge, so that
    the provider must not require one."""
    groups_claim: str | None = None
    """The claim in which the provider must put people's groups."""


class VREEnvironmentStatus(Model):
    """What the operator found and did. Written by the operator only; all of it can be made again."""

    observed_generation: int | None = None
    """The metadata.generation that was last worked on. Older than metadata.generation: not seen yet."""
    conditions: Annotated[tuple[StatusCondition, ...], Unique("type")] = ()
    """Ready first; Reconciling and Stalled say whether waiting helps; then one condition for each component."""
    endpoints: Endpoints | None = None
    """Where people find the services."""
    hostnames: tuple[str, ...] = ()
    """The hostnames that this tenant holds; nobody else gets them until they are let go."""
    version: str | None = None
    """The version of the operator that last worked on this object."""
    registration: tuple[Registration, ...] = ()
    """What to enter at the identity provider, one entry a client. Only when identity.provider is manual."""
    credentials: Annotated[tuple[Expiry, ...], Unique("name")] = ()
    """What ends by itself, and when: the x509 proxy for an FTS, certificates in Secrets that the spec names,
    the secrets of login clients where the provider ends them and says so."""
    catalogue: tuple[Offer, ...] = ()
    """Which image each environment of the catalogue starts, where tags are resolved. A new one takes the place
    of the old when it was tried."""
    workflows: WorkflowsStatus | None = None
    """What REANA says of itself, when there are workflows."""
    defaults: Annotated[tuple[Given, ...], Field(max_length=1000)] | None = None
    """What the site gave where this tenant named nothing, as far as it stays: hostnames, the issuer, classes of
    volumes. To have another hostname, name it in the spec."""
    given: Annotated[tuple[Followed, ...], Field(max_length=1000)] = ()
    """What the site gives now where this tenant named nothing, otherwise than by the product's defaults, and
    beside what stays: sizes of a preset, classes, certificates, scopes."""
    rotation: RotationStatus | None = None
    """The last rotation of the credentials that the operator makes, once there was one."""
    # Atomic, not a map: one writer, and a map would be listed entry by entry in managedFields as well.
    inventory: tuple[str, ...] = ()
    """Everything that exists, or is about to, because of this object; written before it is made. One line each:
    depth in the plan (what is deeper is removed first), what becomes of it when it is no longer wanted (Delete,
    Retain or Release), and target:kind:namespace:name."""
    seal: str | None = None
    """The operator's mark that all of the inventory was found as wanted; lets a restarted one see so at
    once."""
