"""New credentials for a tenant, and which of its Secrets' values are others than before."""

from __future__ import annotations

import hashlib
import time

from dev.demo import tenant
from dev.demo.kubectl import Kubectl
from dev.progress import note
from tests.site import Json
from vre_operator.api import names
from vre_operator.engine.resources import FORMER

# A pass of every component after each other, with pods that roll; only against a hang.
_SECONDS = 600


def digests(kubectl: Kubectl, *namespaces: str) -> dict[str, str]:
    """NAMESPACE/SECRET/KEY to a digest of its value, of all that the operator made."""
    ours = f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER}"
    return {
        f"{space}/{one['metadata']['name']}/{key}": hashlib.sha256(value.encode()).hexdigest()
        for space in namespaces
        for one in kubectl.list("secrets", space, ours)
        for key, value in (one.get("data") or {}).items()
    }


def rotate(kubectl: Kubectl, namespace: str, word: str) -> None:
    """Ask for new credentials, and wait until all is well with them."""
    annotations = {names.ROTATE_ANNOTATION: word}
    kubectl.patch(tenant.KIND, namespace, {"metadata": {"annotations": annotations}}, namespace)
    deadline = time.monotonic() + _SECONDS
    while not _finished(found := tenant.get(kubectl, namespace, namespace) or {}, word):
        assert time.monotonic() < deadline, found.get("status")
        time.sleep(0.5)
    tenant.wait_ready(kubectl, namespace, namespace, say=note)


def _finished(found: Json, word: str) -> bool:
    told = (found.get("status") or {}).get("rotation") or {}
    return told.get("asked") == word and "finished" in told


def kept(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The keys whose values are the same; the former values are left out."""
    return {
        key
        for key, value in before.items()
        if after.get(key) == value and not key.rpartition("/")[2].startswith(FORMER)
    }
