"""A short proof that a tenant is as it was when all of it was last found as wanted.

A restarted operator would have to render and compare every object of every tenant to learn that nothing
happened while it was away. With a seal it only digests what its first lists bring, and compares. The seal
binds what a walk would have looked at: the wish, the site's settings, this operator's version, and the
content of each thing in the inventory. It is kept in the tenant's status, where a tenant's admin might be
able to write, so it is made with a key that only the operator has: nobody can call a torn wall whole.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from vre_operator.api.site import Site
from vre_operator.engine.errors import NotFound
from vre_operator.engine.inventory import Inventory
from vre_operator.engine.resources import ResourceId, Tenant
from vre_operator.engine.target import Target, Voucher
from vre_operator.kube.client import Kube
from vre_operator.kube.errors import AlreadyExists

_SECRET = "vre-operator-seal"  # noqa: S105 a name
_KIND = "v1/Secret"


@dataclass(frozen=True, slots=True)
class Sealer:
    """key: 32 bytes. build: of the operator, since another one may want other things of the same wish."""

    key: bytes = field(repr=False)
    site: Site
    build: str
    _settings: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Written out once, not for each tenant: a restart makes a thousand seals.
        object.__setattr__(self, "_settings", self.site.model_dump(mode="json"))

    def seal(
        self,
        tenant: Tenant,
        obj: Mapping[str, Any],
        inventory: Inventory,
        targets: Mapping[str, Target],
        *,
        walked: bool,
        given: Mapping[str, Any] | None = None,
    ) -> Voucher | None:
        """Of what stands now; None when something of it is not known to be there and well. See Target.vouch.
        given: what of the wish is the site's."""
        members: dict[str, list[ResourceId]] = {}
        for entry in inventory:
            members.setdefault(entry.id.target, []).append(entry.id)
        vouchers = {
            name: targets[name].vouch(tenant, found, walked=walked) for name, found in sorted(members.items())
        }
        known = {name: voucher for name, voucher in vouchers.items() if voucher is not None}
        if len(known) < len(vouchers):
            return None
        parts = [[name, voucher.digest] for name, voucher in known.items()]
        rechecks = [one.recheck_after for one in known.values() if one.recheck_after is not None]

        def accept() -> None:
            for voucher in known.values():
                voucher.accept()

        bound = [self.build, self._settings, tenant.uid, obj["metadata"]["generation"], given or {}]
        text = orjson.dumps([*bound, inventory.dump(), parts], option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(text, key=self.key, digest_size=12).hexdigest()
        return Voucher(digest, min(rechecks, default=None), accept)


def build() -> str:
    """Tells one operator's code from another's, also while its version stays the same."""
    package = Path(__file__).parents[1]
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            found.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return found.hexdigest()


async def load_key(kube: Kube, namespace: str) -> bytes:
    """The key in the operator's namespace, made when there is none. Raises TargetError."""
    try:
        held = await kube.get(_KIND, namespace, _SECRET)
    except NotFound:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": _SECRET, "namespace": namespace},
            "data": {"key": key},
        }
        try:
            held = await kube.create(secret)
        except AlreadyExists:
            held = await kube.get(_KIND, namespace, _SECRET)
    # Somebody's empty Secret of that name proves nothing: a key of this process's own then.
    return base64.b64decode((held.get("data") or {}).get("key") or "") or secrets.token_bytes(32)
