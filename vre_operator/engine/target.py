"""The port to a system in which resources live. Kubernetes, an OIDC provider, Rucio and REANA implement it.

Every method may be repeated, and the process may die inside it: what it did must be found again by `observe`.
Failures are raised as errors.TargetError; anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Policy, Resource, ResourceId, Tenant


class State(StrEnum):
    """Readiness, as a resource's own content tells it."""

    READY = "Ready"
    PROGRESSING = "Progressing"  # will get there by itself
    FAILED = "Failed"  # needs a change or a person; `remedy` says which


@dataclass(frozen=True, slots=True)
class Readiness:
    """progress: how much of it is there, as in 2/3, where that can be counted. exit_code: of a CronJob's last
    run; None: none has ended."""

    state: State
    reason: str = ""
    message: str = ""
    progress: str = ""
    exit_code: int | None = None

    @property
    def ready(self) -> bool:
        return self.state is State.READY


READY = Readiness(State.READY)


class Presence(StrEnum):
    """What stands in the target at the resource's address, compared with what is wanted."""

    ABSENT = "Absent"
    DRIFTED = "Drifted"  # ours, but not (or not provably) as wanted
    SYNCED = "Synced"  # as wanted
    FOREIGN = "Foreign"  # somebody else's; never touched


@dataclass(frozen=True, slots=True)
class Observation:
    """What a target knows of one resource. `outputs` are the values that refs may take; they may be secret.

    detail: for DRIFTED what differs, for FOREIGN whose it is; goes to events and conditions.
    expires: when it ends by itself, in seconds since the epoch; None = never.
    report: plain data for the tenant's status, without secrets.
    recheck_after: seconds after which the target wants to look again (external drift), None = not by itself.
    """

    presence: Presence
    readiness: Readiness = READY
    outputs: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    recheck_after: float | None = None
    expires: float | None = None
    report: Any = None


@dataclass(frozen=True, slots=True)
class Promise:
    """An observation that has to be asked for. Nothing is begun before it is awaited, so one that a stopped
    walk never comes to leaves nothing behind."""

    begin: Callable[[], Coroutine[Any, Any, Observation]]

    def __await__(self) -> Generator[Any, None, Observation]:
        return self.begin().__await__()


@dataclass(frozen=True, slots=True)
class Voucher:
    """digest: the same in every process for as long as nobody changes what is vouched for. recheck_after:
    seconds after which the target wants to look again. accept: to be called when the digest is one that a
    walk left."""

    digest: str
    recheck_after: float | None = None
    accept: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Desired:
    """A resource with its refs filled in. `body` holds secrets: never printed, logged or put in status.

    memo: for what a target works out from it; kept as long as the wish stays the same.
    """

    resource: Resource
    body: Mapping[str, Any] = field(repr=False)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """16 hex digits over what is wanted; generated values are not in it."""
        return digest({"body": self.body, "generate": dict(self.resource.generate)})

    @property
    def id(self) -> ResourceId:
        return self.resource.id


class Target(Protocol):
    """One system."""

    name: str

    def observe(self, tenant: Tenant, desired: Desired) -> Observation | Awaitable[Observation]:
        """Compare. Cheap when nothing happened: a settled tenant must cost no request.

        What can be told at once is told at once; a promise is for what has to be asked.
        """
        ...

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """What these resources are now, as far as it is known without asking anybody.

        None when one of them is not there, not ready, or has to be looked at: then only a walk can tell.
        walked: just after a walk, which vouches for nothing that changed behind its back.
        """
        ...

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        """Make it so, and say what came of it. Never touches what is FOREIGN (raises Conflict).

        DRIFTED: it could not be done now, and what stands goes on, as its readiness says.
        """
        ...

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """Remove (or release) it; True when it is gone for certain, False while it is on its way.

        Removes only what carries this tenant's uid. `data`: the tenant's word that data may go as well;
        without it, a resource that turns out to hold data is kept and counts as gone.
        """
        ...
