"""R5, online: one value of a tenant changed, then changed back, before a real API server and the real operator.

What is valid shows in the system and nowhere else; what is not is refused by the API server and nothing moves;
and after the way back everything is as it was.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from tests import readymaker
from tests.faults.wishes import HOSTILE, Json, Leaf, leaves, pattern_of, put
from tests.long import LONG
from tests.site import Site, eventually, operating
from vre_operator.api.conditions import Reason

SHARE = 18
SEED = 20261125

TENANT = "transit"
FULL: Json = {
    "deletionPolicy": "Delete",
    "storage": {
        "homes": {"size": "10Gi", "storageClass": "local-path"},
        "shares": [{"name": "team", "volume": {"size": "1Gi", "storageClass": "local-path"}}],
        "s3": [{"name": "survey", "endpoint": "https://s3.example.org", "credentialsSecret": {"name": "keys"}}],
    },
    "page": {"title": "Transit", "links": [{"title": "Help", "url": "mailto:help@example.org"}]},
    "catalogue": {"entries": [{"name": "base", "image": "example.org/base:1", "displayName": "Base"}]},
    "dataLake": {"enabled": True, "hostname": "rucio.transit.example.org"},
    "exposure": {"tls": {"secret": {"name": "certificate"}}},
}
"""Beside what tests.site gives every tenant."""

KINDS = (
    "configmaps,secrets,services,deployments,statefulsets,daemonsets,jobs,cronjobs,persistentvolumeclaims,ingresses,"
    "networkpolicies,roles,rolebindings,serviceaccounts,resourcequotas,limitranges"
)
# Changed, and only a deletion, a message or a catalogue of the site shows it.
_UNSEEN = {"deletionPolicy", "catalogue.inherit"}
_UNLOCKING = ("database-superuser", "database-hub", "database-rucio", "hub-secrets", "rucio-root")
VOLATILE = ("resourceVersion", "generation", "managedFields", "creationTimestamp", "uid")

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600 if LONG else 900)]


@dataclass(frozen=True, slots=True)
class Step:
    """`kind`: valid, empty, removed, type, minimum, maximum, beyond, hostile. removed: no value at all."""

    leaf: Leaf
    kind: str
    value: Any = None

    def __str__(self) -> str:
        return f"{self.leaf}-{self.kind}"


# A valid other value where the schema alone can't tell one.
_OTHERS: Mapping[str, Any] = {
    "hostname": "other.example.org",
    "dataLake.hostname": "lake.example.org",
    "dataLake.daemons.groups": ["Rules"],
    "dataLake.daemons.size": "Large",
    "dataLake.schemaUpgrade": "Automatic",
    "dataLake.policyPackage": "ocean_policies",
    "identity.groupsClaim": "roles",
    "identity.usernameClaim": "email",
    "identity.scopes": ["openid", "email"],
    "identity.adminGroups": ["/admins"],
    "catalogue.entries.0.name": "other",
    "catalogue.entries.0.image": "example.org/other:2",
    "catalogue.entries.0.displayName": "Other 'name' <b>",
    "storage.shares.0.mountPath": "/data/other",
    "storage.shares.0.writers": ["writers"],
    "storage.s3.0.name": "other",
    "storage.s3.0.endpoint": "https://other.example.org",
    "storage.s3.0.region": "eu-central-1",
    "storage.s3.0.allowedGroups": ["archivists"],
    "page.title": "Other 'name' <b>",
    "page.logo": "https://docs.example.org/logo.svg",
    "page.message": "{{ closed }} $(on) <b>Monday</b>",
    "notebooks.maxSessions": 7,
    "notebooks.culling.idleSeconds": 600,
    "notebooks.culling.maxAgeSeconds": 86400,
    "notebooks.resources.cpuGuarantee": 0.5,
    "notebooks.resources.cpuLimit": 4,
    "notebooks.resources.memoryGuarantee": "1Gi",
    "notebooks.resources.memoryLimit": "3Gi",
    "exposure.ingressClass": "traefik",
}
# Valid, and not to be taken back: refused on the way back, so not tried here.
_ONE_WAY = {"storage.homes.size", "database.embedded.size", "storage.shares.0.volume.size"}
# What a rule that crosses fields refuses beside FULL.
_EXCLUDED = (
    "exposure.tls.certManager",
    "exposure.gateway",
    "database.external",
    "identity.allowAll",
    "identity.credentialsSecret",
    "identity.provider",
)
# What is kept in a Rucio or a REANA, or works with one, of which there is none here: tests/rucio, tests/reana.
_ELSEWHERE = (
    *("dataLake.rses", "dataLake.distances", "dataLake.accounts", "dataLake.subscriptions", "dataLake.options"),
    *("dataLake.storage", "dataLake.people", "dataLake.transfers", "dataLake.clientSecret"),
    *("dataLake.attach", "dataLake.probe", "dataLake.history", "workflows"),
)
_WRONG: Mapping[str, Any] = {"string": 7, "boolean": "yes", "integer": "7", "number": "7", "array": "one"}


def steps() -> Iterator[Step]:
    for leaf in leaves():
        name, node = str(leaf), leaf.schema
        if name.startswith((*_EXCLUDED, *_ELSEWHERE)):
            continue
        yield Step(leaf, "type", _WRONG[node["type"]])
        yield Step(leaf, "removed")
        if node["type"] == "boolean":
            yield Step(leaf, "valid", "toggle")
        elif name in _OTHERS:
            yield Step(leaf, "valid", _OTHERS[name])
        if "minimum" in node and name in _OTHERS:
            # A guarantee may not be above its limit: half of these would be refused for that.
            if not name.endswith("Limit"):
                yield Step(leaf, "minimum", node["minimum"])
            if not name.endswith("Guarantee"):
                yield Step(leaf, "maximum", node["maximum"])
            yield Step(leaf, "beyond", node["maximum"] + 1)
        if node["type"] == "string":
            yield Step(leaf, "empty", "")
            if "enum" in node or pattern_of(node):
                yield Step(leaf, "hostile", HOSTILE[len(name) % (len(HOSTILE) - 1)])


def chosen() -> list[Step]:
    """All, or a share with as many of each kind as there are; the same in every run."""
    everything = [
        step for step in steps() if str(step.leaf) not in _ONE_WAY or step.kind not in ("valid", "removed")
    ]
    if LONG:
        return everything
    shuffled = random.Random(SEED).sample(everything, len(everything))  # noqa: S311
    by_kind: dict[str, list[Step]] = {}
    for step in shuffled:
        by_kind.setdefault(step.kind, []).append(step)
    taken: list[Step] = []
    while len(taken) < SHARE:
        for group in by_kind.values():
            if group and len(taken) < SHARE:
                taken.append(group.pop())
    return taken


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    cluster = Cluster("r5")
    cluster.up(node=False, bare=True)
    try:
        with (
            provider.running(tmp_path_factory.mktemp("provider")) as registry,
            operating(cluster, registry, tmp_path_factory.mktemp("operator")) as site,
            readymaker.running(cluster.kubeconfig),
        ):
            _ground(site)
            site.make(TENANT, **FULL)
            site.settled(TENANT)
            yield site
    finally:
        cluster.down()


def _ground(site: Site) -> None:
    """The tenant's own certificate and keys, and a class beside the site's."""
    site.kubectl("create", "namespace", TENANT)
    other = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": _OTHERS["exposure.ingressClass"]},
        "spec": {"controller": "example.org/other"},
    }
    site.kubectl("apply", "-f", "-", stdin=other)
    for name, kind, data in (
        ("certificate", "kubernetes.io/tls", {"tls.crt": "a certificate", "tls.key": "its key"}),
        ("keys", "Opaque", {"AWS_ACCESS_KEY_ID": "an id", "AWS_SECRET_ACCESS_KEY": "a key"}),
    ):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": {"name": name, "namespace": TENANT},
            "stringData": data,
        }
        site.kubectl("apply", "-f", "-", stdin=secret)


def state(site: Site) -> Json:
    """What the operator made, without what a server counts; and the login clients' settings."""
    listed = [site.get("-n", namespace, KINDS) for namespace in (TENANT, f"{TENANT}-notebooks")]
    objects = {
        f"{item['kind']}/{item['metadata']['namespace']}/{item['metadata']['name']}": _plain(item)
        for found in listed
        for item in (found or {"items": []})["items"]
    }
    clients = site.registry.clients()
    return objects | {
        "client": [{key: one[key] for key in sorted(one) if "token" not in key} for one in clients]
    }


def _plain(item: Json) -> Json:
    # What is made again has another uid, which a Job's labels repeat, and a Service another address.
    again: Json = json.loads(json.dumps(item).replace(item["metadata"]["uid"], "$uid"))
    metadata = {key: value for key, value in again["metadata"].items() if key not in VOLATILE}
    if again["kind"] == "Service":
        again["spec"] = {key: value for key, value in again["spec"].items() if not key.startswith("clusterIP")}
    return {key: value for key, value in again.items() if key != "status"} | {"metadata": metadata}


def _is_data(name: str) -> bool:
    return name.startswith("PersistentVolumeClaim/") or name.rpartition("/")[2] in _UNLOCKING


def _made_anew(step: Step) -> set[str]:
    """No change of the spec takes data away; where a part is switched on for the first time its secrets
    come."""
    switched = str(step.leaf) in ("dataLake.enabled", "notebooks.enabled")
    return {f"Secret/{TENANT}/{name}" for name in _UNLOCKING} if switched else set()


def _of_another_client(step: Step) -> set[str]:
    """Without notebooks there is no login client, and without a hostname none of Rucio's; with them again, a
    new one, and those who read its secret roll."""
    hub = {f"Secret/{TENANT}/hub-login", f"Deployment/{TENANT}/hub"}
    lake = {f"Secret/{TENANT}/rucio-identity"} | {
        f"Deployment/{TENANT}/{name}" for name in ("rucio", "rucio-deletion")
    }
    by_leaf = {"notebooks.enabled": hub, "dataLake.enabled": lake, "dataLake.hostname": lake}
    there = by_leaf.get(str(step.leaf))
    return {"client"} | there if there else set()


def spec_of(site: Site) -> Json:
    vre = site.get("-n", TENANT, "vre", "vre")
    assert vre is not None
    spec: Json = vre["spec"]
    return spec


def replace(site: Site, spec: Json) -> subprocess.CompletedProcess[str]:
    """As an editor saves it."""
    vre = site.get("-n", TENANT, "vre", "vre")
    assert vre is not None
    vre["spec"] = spec
    kubectl = [str(site.cluster.kubectl), "--kubeconfig", str(site.cluster.kubeconfig)]
    return subprocess.run(
        [*kubectl, "replace", "-f", "-"], input=json.dumps(vre), capture_output=True, text=True, check=False
    )


def without(spec: Json, path: tuple[str | int, ...]) -> Json:
    """`spec` without what is at `path`."""
    made: Json = json.loads(json.dumps(spec))
    at: Any = made
    for key in path[:-1]:
        if isinstance(at, list) and not at:
            return made
        at = at[key] if isinstance(key, int) or key in at else {}
    if isinstance(at, list):
        del at[:1]
    else:
        at.pop(path[-1], None)
    return made


def wanted(step: Step, before: Json) -> Json:
    if step.kind == "removed":
        return without(before, step.leaf.path)
    value = step.value
    if value == "toggle":
        at: Any = before
        for key in step.leaf.path:
            at = (at[key:] or [{}])[0] if isinstance(key, int) else at.get(key, {})
        value = not (step.leaf.schema.get("default", False) if at == {} else at)
    return put(before, step.leaf.path, value)


def at_rest(site: Site, changed: Callable[[], object]) -> None:
    """Until the operator has done with what `changed` did."""
    changed()
    eventually(
        lambda: site.condition(TENANT)[1], lambda reason: reason not in ("NotSeen", "Progressing", "Waiting")
    )
    previous = state(site)
    while (now := state(site)) != previous:
        previous = now
        time.sleep(0.5)


@pytest.mark.parametrize("step", chosen(), ids=str)
def test_a_step_and_the_way_back(
    site: Site, step: Step, record_property: Callable[[str, object], None]
) -> None:
    before, spec = state(site), spec_of(site)
    there = wanted(step, spec)
    if there == spec:
        assert step.kind in ("removed", "valid", "minimum", "empty")
        record_property("outcome", "same")
        return
    answer = replace(site, there)
    if answer.returncode != 0:
        record_property("outcome", "refused")
        assert step.kind not in ("valid", "minimum", "maximum"), answer.stderr
        assert str(step.leaf).split(".0", maxsplit=1)[0] in answer.stderr.replace("[0]", ""), answer.stderr
        assert state(site) == before
        assert spec_of(site) == spec
        return
    record_property("outcome", "taken")
    assert step.kind in ("valid", "minimum", "maximum", "removed", "empty")
    at_rest(site, lambda: None)
    after = state(site)
    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    record_property("touched", sorted(touched))
    ready = site.condition(TENANT)
    # What the schema puts in the place of what was left out may be what stood there. What a site may give, and
    # this one does not, is missed by the operator.
    missed = step.kind == "removed" and ready[1] == Reason.INVALID_SPEC
    assert touched or missed or spec_of(site) == spec or str(step.leaf) in _UNSEEN
    assert {name for name in touched if _is_data(name)} <= _made_anew(step)
    assert ready[1] in ("Ready", "Suspended") or ready[2], ready
    at_rest(site, lambda: replace(site, spec))
    site.settled(TENANT)
    at_rest(site, lambda: None)
    other = {name for name, obj in state(site).items() if before.get(name) != obj}
    assert other <= _of_another_client(step)
    assert state(site).keys() == before.keys()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("identity", "issuer"), "https://other.example.org", "cannot be changed: set it back"),
        (("database", "embedded", "storageClass"), "other", "volumes cannot move between classes"),
        (("database", "external"), {"secret": {"name": "a"}}, "cannot be added or removed later"),
    ],
    ids=str,
)
def test_what_cannot_be_changed_says_so(site: Site, path: tuple[str, ...], value: Any, words: str) -> None:
    before = state(site)
    answer = replace(site, put(spec_of(site), path, value))
    assert answer.returncode != 0
    assert words in answer.stderr
    assert state(site) == before
