"""What a component asks for: resources of any target, as data.

A plan is a set of `Resource`s. Each says where it lives (`ResourceId`), what it should be (`body`), what must
be ready before it (`needs`), and what becomes of it when nobody wants it any more (`Policy`). Bodies may hold
`Ref`, `Text` and `ContentDigest` (see refs.py) where a value is known only to another resource, so a component
never sees a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

KUBERNETES = "kubernetes"
OIDC = "oidc"
RUCIO = "rucio"
REANA = "reana"
FTS = "fts"
REGISTRY = "registry"


class ResourceId(NamedTuple):
    """The address of a resource: target system, kind, namespace ("" where the kind has none) and name.

    Kubernetes kinds are written `apiVersion/Kind`, e.g. `v1/Secret`, `apps/v1/Deployment`.
    """

    target: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.target}:{self.kind}:{self.namespace}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """The inverse of `str(id)`. Raises ValueError for anything else."""
        target, kind, namespace, name = text.split(":", 3)
        return cls(target, kind, namespace, name)

    @property
    def short(self) -> str:
        """For people: `Deployment rucio-server`, `Secret quickstart/login`."""
        return f"{self.kind.rsplit('/', 1)[-1]} {self.name}"


class Policy(StrEnum):
    """What the engine may do with a resource."""

    DELETE = "Delete"  # ours; removed when no longer wanted
    RETAIN = "Retain"  # ours, holds data or unlocks it; removed only with the tenant and deletionPolicy Delete
    RELEASE = "Release"  # not ours (the tenant's own namespace); we own some fields and give them back
    EXTERNAL = "External"  # not ours; only read


FORMER = "former-"


class Generator(StrEnum):
    """How the missing value of a Secret's key is made: once, and again only when credentials are rotated."""

    HEX32 = "hex32"  # 16 random bytes
    HEX48 = "hex48"  # 24 random bytes
    HEX64 = "hex64"  # 32 random bytes
    FORMER = "former"  # what the key that is named after "former-" was before its last rotation


@dataclass(frozen=True, slots=True)
class Resource:
    """One desired thing.

    body: for Kubernetes the object to apply, without apiVersion, kind and metadata's name and namespace
      (they come from `id`) and without the owner labels (the plan stamps them); Secrets use `stringData`.
    generate: keys of a Secret that get a random value when they have none.
    required_keys: keys that an EXTERNAL Secret or ConfigMap must hold.
    origin: the field of the VREEnvironment that led here, for messages ("spec.notebooks.images[0].image").
    recreate: delete and create again when a change hits an immutable field (never for data).
    failure: the condition's reason when it fails, where that says more than JobFailed does.
    counts: whether the tenant is not well while it is not; another resource speaks for one that does not count.
    advisory: Ready has the reason of its failure, and is True all the same.
    replaces: what has its place in another wish, and stays as long as it cannot even be made.
    exits: of a CronJob that tells more than well or not, the reason for each exit code of its last run.
    """

    id: ResourceId
    component: str
    body: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[ResourceId] = frozenset()
    policy: Policy = Policy.DELETE
    generate: Mapping[str, Generator] = field(default_factory=dict)
    required_keys: tuple[str, ...] = ()
    origin: str = ""
    recreate: bool = False
    failure: str = ""
    counts: bool = True
    advisory: bool = False
    exits: Mapping[int, str] = field(default_factory=dict)
    replaces: ResourceId | None = None


NOTEBOOKS, WORKFLOWS = "-notebooks", "-workflows"


def spaces(namespace: str) -> tuple[str, str, str]:
    """A tenant's own namespace, and the two that are derived from it."""
    return namespace, f"{namespace}{NOTEBOOKS}", f"{namespace}{WORKFLOWS}"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who a pass works for. cluster_id: the uid of the kube-system namespace. left: the targets in which
    nothing is wanted any more. rotation: names the last rotation of credentials, "" where there was none;
    rotating: it is still under way, so what was not made in it is made anew. lent: a Secret of somebody else's
    that its pass may read, and that none of its own may hold."""

    namespace: str
    name: str
    uid: str
    cluster_id: str
    left: frozenset[str] = frozenset()
    rotation: str = ""
    rotating: bool = False
    lent: ResourceId | None = None

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)

    @property
    def notebooks_namespace(self) -> str:
        return f"{self.namespace}{NOTEBOOKS}"

    @property
    def workflows_namespace(self) -> str:
        return f"{self.namespace}{WORKFLOWS}"
