"""Input that the API server cannot know to be wrong: a stable reason, a next step, and what worked goes on."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from dev import keycloak
from dev.demo import tenant
from dev.demo.installation import Installation, variant
from dev.demo.kubectl import Body
from dev.progress import note
from tests.e2e import outside

NAMESPACE = "working"
NOTEBOOK = "localhost/vre-dev/no-such-image:1"


@dataclass(frozen=True)
class Bad:
    """A change that is wrong; the condition that says so, its reason, and what its message must hold."""

    name: str
    condition: str
    reason: str
    words: tuple[str, ...]
    spec: Mapping[str, Any] = field(default_factory=dict)


CHANGES = (
    Bad(
        "storage-class",
        "TenancyReady",
        "StorageClassNotFound",
        ("spec.storage.homes.storageClass", "golden", "This cluster has:"),
        {"storage": {"homes": {"storageClass": "golden"}}},
    ),
    Bad(
        "ingress-class",
        "ExposureReady",
        "IngressClassNotFound",
        ("spec.exposure.ingressClass", "haproxy", "This cluster has: nginx"),
        {"exposure": {"ingressClass": "haproxy"}},
    ),
    Bad(
        "image",
        "NotebooksReady",
        "ImagePullFailed",
        ("spec.catalogue.entries[0]", NOTEBOOK),
        {"catalogue": {"entries": [{"name": "none", "image": NOTEBOOK}]}},
    ),
    Bad(
        "secret",
        "IdentityReady",
        "SecretNotFound",
        ("spec.identity.credentialsSecret", "nowhere", "kubectl -n working create secret generic nowhere"),
        {"identity": {"credentialsSecret": {"name": "nowhere"}}},
    ),
    Bad(
        "key-of-secret",
        "IdentityReady",
        "SecretKeyMissing",
        ("spec.identity.credentialsSecret", "half", "client_secret"),
        {"identity": {"credentialsSecret": {"name": "half"}}},
    ),
    Bad(
        "hostname",
        "Ready",
        "HostnameTaken",
        ("holder.vre.localhost", "holder"),
        {"hostname": "holder.vre.localhost"},
    ),
)


@pytest.fixture(scope="module")
def holder(working: Installation) -> Iterator[Installation]:
    """Somebody who holds a hostname, and needs nothing to run for it."""
    kubectl = working.kubectl
    working.create_tenant(variant("holder", notebooks={"enabled": False}, dataLake={"enabled": False}))
    tenant.wait(kubectl, "holder", "holder", lambda current: "Ready" in current, seconds=300)
    kubectl.apply(_secret("half", NAMESPACE, client_id="vre-operator"))
    yield working
    kubectl.delete(tenant.KIND, "holder", "holder")


@pytest.mark.parametrize("bad", CHANGES, ids=lambda bad: bad.name)
def test_a_wrong_change_is_told_and_harms_nothing(holder: Installation, bad: Bad) -> None:
    kubectl = holder.kubectl
    good = tenant.get(kubectl, NAMESPACE, NAMESPACE)
    assert good is not None
    hub = kubectl.get("deployment", "hub", NAMESPACE)
    assert hub is not None

    kubectl.patch(tenant.KIND, NAMESPACE, {"spec": bad.spec}, NAMESPACE)
    try:
        found = tenant.wait(
            kubectl,
            NAMESPACE,
            NAMESPACE,
            lambda current: current.get(bad.condition, {}).get("reason") == bad.reason,
            seconds=300,
        )
        current = tenant.conditions(found)
        assert current[bad.condition]["status"] == "False"
        assert [word for word in bad.words if word not in current[bad.condition]["message"]] == []
        assert current["Ready"]["status"] == "False"
        assert outside.status(holder.cluster, "working.vre.localhost", "/hub/health") == 200
        after = kubectl.get("deployment", "hub", NAMESPACE)
        assert after is not None
        assert after["spec"] == hub["spec"]
    finally:
        kubectl.patch(tenant.KIND, NAMESPACE, {"spec": _undo(bad.spec, good["spec"])}, NAMESPACE)
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, seconds=300, say=note)


def _undo(change: Mapping[str, Any], good: Mapping[str, Any]) -> Body:
    """The merge patch that brings the changed fields back; null removes what was not there."""
    return {
        key: _undo(value, good[key])
        if isinstance(value, dict) and isinstance(good.get(key), dict)
        else good.get(key)
        for key, value in change.items()
    }


def _secret(name: str, namespace: str, **data: str) -> Body:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


# --- tenants that are wrong from the start ------------------------------------------------------------------


def _newcomer(namespace: str, **identity: Any) -> Body:
    manifest = variant(namespace, dataLake={"enabled": False}, deletionPolicy="Delete")
    manifest["spec"]["identity"] = copy.deepcopy(manifest["spec"]["identity"]) | identity
    return manifest


NEWCOMERS = (
    Bad("bad-issuer", "IdentityReady", "IssuerUnreachable", ("spec.identity.issuer", "nobody.vre.localhost")),
    Bad("bad-slash", "IdentityReady", "IssuerMismatch", ("slash",)),
    Bad(
        "bad-network", "IdentityReady", "IssuerRefused", ("kubernetes.default.svc.cluster.local", "issuerCidrs")
    ),
    Bad(
        "bad-login",
        "IdentityReady",
        "CredentialsRefused",
        ("refuses the service account", "spec.identity.credentialsSecret", "Write client_id"),
    ),
    Bad("bad-space", "TenancyReady", "NamespaceTaken", ("bad-space-notebooks",)),
)
IDENTITIES = {
    "bad-issuer": {"issuer": f"https://nobody.{keycloak.DOMAIN}/realms/vre"},
    # Only of a Keycloak the API server knows that there is no slash.
    "bad-slash": {"issuer": f"{keycloak.ISSUER}/", "provider": "manual"},
    "bad-network": {"issuer": "https://kubernetes.default.svc.cluster.local/realms/vre"},
}


@pytest.fixture(scope="module")
def newcomers(installation: Installation) -> Iterator[Installation]:
    """All of them at once: each waits for something else."""
    kubectl = installation.kubectl
    for bad in NEWCOMERS:  # a reused cluster may have them
        kubectl.delete(tenant.KIND, bad.name, bad.name)
        kubectl.delete("namespace", f"{bad.name}-notebooks")
    somebody = {"name": "bad-space-notebooks", "labels": {"team": "somebody-else"}}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": somebody})
    for bad in NEWCOMERS:
        wrong = {"client_secret": "wrong"} if bad.name == "bad-login" else {}
        manifest = _newcomer(bad.name, **IDENTITIES.get(bad.name, {}))
        tenant.create(kubectl, manifest, keycloak.REGISTRATION | wrong)
    yield installation
    for bad in NEWCOMERS:
        kubectl.delete(tenant.KIND, bad.name, bad.name)


@pytest.mark.parametrize("bad", NEWCOMERS, ids=lambda bad: bad.name)
def test_a_wrong_newcomer_is_told_what_to_do(newcomers: Installation, bad: Bad) -> None:
    found = tenant.wait(
        newcomers.kubectl,
        bad.name,
        bad.name,
        lambda current: current.get(bad.condition, {}).get("reason") == bad.reason,
        seconds=300,
    )
    message = tenant.conditions(found)[bad.condition]["message"]
    assert [word for word in bad.words if word not in message] == [], message
    # What stands in nobody's way is there all the same.
    assert newcomers.kubectl.get("networkpolicy", "default-deny", bad.name)


def test_somebody_elses_namespace_is_left_as_it_was(newcomers: Installation) -> None:
    found = newcomers.kubectl.get("namespace", "bad-space-notebooks")
    assert found is not None
    labels = set(found["metadata"]["labels"])
    assert labels == {"team", "kubernetes.io/metadata.name"}
    assert outside.contents(newcomers.kubectl, "bad-space-notebooks") == set()


def test_it_goes_on_by_itself_once_the_credential_is_right(newcomers: Installation) -> None:
    kubectl = newcomers.kubectl
    kubectl.apply(_secret("keycloak-registration", "bad-login", **keycloak.REGISTRATION))
    tenant.wait_ready(kubectl, "bad-login", "bad-login", seconds=300, say=note)


def test_a_second_one_in_a_namespace_touches_nothing(working: Installation) -> None:
    kubectl = working.kubectl
    second = variant(NAMESPACE, dataLake={"enabled": False})
    second["metadata"]["name"] = "second"
    second["spec"]["hostname"] = "second.vre.localhost"
    kubectl.apply(second)
    try:
        found = tenant.wait(
            kubectl,
            NAMESPACE,
            "second",
            lambda current: current.get("Ready", {}).get("reason") == "NamespaceOccupied",
            seconds=300,
        )
        assert NAMESPACE in tenant.conditions(found)["Ready"]["message"]
        assert not found["status"].get("inventory")
    finally:
        kubectl.delete(tenant.KIND, "second", NAMESPACE)
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, seconds=300, say=note)
