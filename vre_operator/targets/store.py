"""What the operator has to remember for a tenant and nobody else knows: one Secret each, in its own namespace.

Not in the tenant's: deleting a namespace removes its Secrets before the finalizer has run, and a client whose
registration token is gone can't be removed any more.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vre_operator.api import names
from vre_operator.engine.errors import Conflict, NotFound
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Tenant

ROLE_LABEL = f"{names.GROUP}/client-role"
_KIND = "v1/Secret"
_DATA_KEY = "state.json"


@dataclass(frozen=True, slots=True, order=True)
class StateKey:
    """One thing of one tenant. Without the uid: a tenant made again finds what its earlier life left."""

    namespace: str
    name: str
    role: str
    kind: str = "oidc-client"

    @classmethod
    def of(cls, tenant: Tenant, role: str, kind: str = "oidc-client") -> StateKey:
        return cls(tenant.namespace, tenant.name, role, kind)

    @property
    def object_name(self) -> str:
        """The name of the Secret."""
        return f"{self.kind}-{digest([self.namespace, self.name, self.role])}"


class StateStore(Protocol):
    """Compare-and-set storage. A version is whatever the store answered last."""

    async def load(self, key: StateKey) -> tuple[dict[str, Any], str] | None:
        """The state and its version, None when there is none."""
        ...

    async def save(self, key: StateKey, data: Mapping[str, Any], version: str | None) -> str:
        """Write over `version` (None: must not exist yet); the new version. Raises Conflict."""
        ...

    async def delete(self, key: StateKey) -> None:
        """Forget; not an error when there is nothing."""
        ...


class KubeSecrets(Protocol):
    """The part of kube.client.Kube that the store needs: plain objects as dicts."""

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]: ...

    async def create(self, obj: dict[str, Any]) -> dict[str, Any]: ...

    async def replace(self, obj: dict[str, Any]) -> dict[str, Any]: ...

    async def delete(self, kind: str, namespace: str, name: str) -> Any: ...


class KubernetesStateStore:
    """State as Secrets with the tenant's labels, but without managed-by: no reflector follows them."""

    def __init__(self, kube: KubeSecrets, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    async def load(self, key: StateKey) -> tuple[dict[str, Any], str] | None:
        try:
            secret = await self._kube.get(_KIND, self._namespace, key.object_name)
        except NotFound:
            return None
        data: dict[str, Any] = json.loads(base64.b64decode(secret["data"][_DATA_KEY]))
        return data, secret["metadata"]["resourceVersion"]

    async def save(self, key: StateKey, data: Mapping[str, Any], version: str | None) -> str:
        secret = self._secret(key, data)
        if version is None:
            written = await self._kube.create(secret)
        else:
            secret["metadata"]["resourceVersion"] = version
            try:
                written = await self._kube.replace(secret)
            except NotFound:
                raise Conflict(f"Secret {key.object_name} was deleted by somebody else") from None
        return str(written["metadata"]["resourceVersion"])

    async def delete(self, key: StateKey) -> None:
        try:
            await self._kube.delete(_KIND, self._namespace, key.object_name)
        except NotFound:
            return

    def _secret(self, key: StateKey, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": key.object_name,
                "namespace": self._namespace,
                "labels": {
                    names.COMPONENT_LABEL: f"{key.kind}-state",
                    names.TENANT_NAMESPACE_LABEL: key.namespace,
                    names.TENANT_NAME_LABEL: key.name,
                    names.TENANT_UID_LABEL: data["owner"]["uid"],
                    ROLE_LABEL: key.role,
                },
            },
            "data": {_DATA_KEY: base64.b64encode(json.dumps(data).encode()).decode()},
        }


class MemoryStateStore:
    """State in this process, for tests and plans; keeps JSON text so that nothing is shared by reference."""

    def __init__(self) -> None:
        self.texts: dict[StateKey, tuple[str, int]] = {}
        self._writes = 0

    async def load(self, key: StateKey) -> tuple[dict[str, Any], str] | None:
        if key not in self.texts:
            return None
        text, version = self.texts[key]
        return json.loads(text), str(version)

    async def save(self, key: StateKey, data: Mapping[str, Any], version: str | None) -> str:
        held = self.texts.get(key)
        if (str(held[1]) if held else None) != version:
            raise Conflict(f"the state of {key} was changed by somebody else")
        self._writes += 1
        self.texts[key] = (json.dumps(data), self._writes)
        return str(self._writes)

    async def delete(self, key: StateKey) -> None:
        self.texts.pop(key, None)
