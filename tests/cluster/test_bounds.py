"""The site's bounds before a real API server: what it refuses, what it leaves alone, and that the operator says
the same of whoever stands already."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from dev.cluster import Cluster
from tests.cluster.test_chart import Helm
from tests.manifests import merge
from vre_operator.api import names
from vre_operator.api.bounds import BOUNDS, broken
from vre_operator.api.crd import DEFINITIONS, custom_resource_definition
from vre_operator.api.vresite import Bounds

Json = dict[str, Any]

SPACE = "school-one"
GOOD: Json = {
    "apiVersion": names.API_VERSION,
    "kind": names.KIND,
    "metadata": {"name": "vre", "namespace": SPACE},
    "spec": {
        "hostname": "school-one.vre.example.org",
        "identity": {"issuer": "https://login.example.org", "provider": "generic-dcr", "allowAll": True},
    },
}
DIGEST = f"registry.example.org/vre/base@sha256:{'0' * 64}"


def entry(image: str = DIGEST, **more: Any) -> Json:
    return {"catalogue": {"entries": [{"name": "base", "image": image, **more}]}}


def rse(hostname: str) -> Json:
    protocol = {"scheme": "davs", "hostname": hostname, "port": 443, "prefix": "/", "wan": {"read": 1}}
    return {"dataLake": {"enabled": True, "rses": [{"name": "DISK", "protocols": [protocol]}]}}


def s3(endpoint: str) -> Json:
    return {"storage": {"s3": [{"name": "a", "endpoint": endpoint, "credentialsSecret": {"name": "a"}}]}}


def homes(**volume: Any) -> Json:
    return {"storage": {"homes": {"volume": volume}}}


GRANTS = [
    {"namespaces": ["school-*"], "domains": ["{namespace}.vre.example.org", "schools.example.org"]},
    {"namespaces": ["atlas"], "domains": ["atlas.example.org"]},
]
ISSUERS = {"issuers": ["https://login.example.org"]}
REGISTRIES = {"registries": ["registry.example.org/vre", "quay.io"]}
RSES = {"rseHosts": ["storage.example.org"]}
SERVICES = {"serviceHosts": ["example.org"]}
GATEWAYS = {"gateways": ["infra/public", "edge/tenants"]}
CERTIFICATES = {"certificateIssuers": ["letsencrypt"]}
WORKFLOWS = {"enabled": True, "hostname": "reana.school-one.vre.example.org"}

# (bounds, change of GOOD's spec, the field that is refused; "" where nothing is)
CASES: list[tuple[Json, Json, str]] = [
    ({}, {}, ""),
    ({"grants": GRANTS}, {}, ""),
    ({"grants": GRANTS}, {"hostname": "more.school-one.vre.example.org"}, ""),
    ({"grants": GRANTS}, {"hostname": "one.schools.example.org"}, ""),
    ({"grants": GRANTS}, {"hostname": "schools.example.org"}, ""),
    ({"grants": GRANTS}, {"hostname": "evilschools.example.org"}, "spec.hostname"),
    ({"grants": GRANTS}, {"hostname": "school-two.vre.example.org"}, "spec.hostname"),
    ({"grants": GRANTS}, {"hostname": "atlas.example.org"}, "spec.hostname"),
    ({"grants": GRANTS}, {"hostname": "schools.example.org.evil.org"}, "spec.hostname"),
    ({"grants": GRANTS[1:]}, {}, "metadata.namespace"),
    ({"grants": [{"namespaces": ["school-*"]}]}, {"hostname": "any.example.net"}, ""),
    ({"grants": [{"namespaces": ["school"]}]}, {}, "metadata.namespace"),
    ({"grants": [{"namespaces": ["*-two", "*one"]}]}, {}, ""),
    ({"grants": GRANTS}, {"dataLake": {"enabled": True, "hostname": "r.other.org"}}, "spec.dataLake.hostname"),
    ({"grants": GRANTS}, {"workflows": WORKFLOWS | {"hostname": "r.other.org"}}, "spec.workflows.hostname"),
    (
        {"grants": GRANTS},
        {"dataLake": {"enabled": True, "storage": [{"name": "DISK", "hostname": "d.other.org"}]}},
        "spec.dataLake.storage[].hostname",
    ),
    (ISSUERS, {}, ""),
    (ISSUERS, {"identity": {"issuer": "https://login.example.org/"}}, "spec.identity.issuer"),
    (ISSUERS, {"identity": {"issuer": "https://login.example.org.evil.org"}}, "spec.identity.issuer"),
    (REGISTRIES, entry(), ""),
    (REGISTRIES, entry("quay.io/jupyter/base:1"), ""),
    (REGISTRIES, entry("jupyter/base:1"), "spec.catalogue.entries[].image"),
    (REGISTRIES, entry("registry.example.org/vrevil/base:1"), "spec.catalogue.entries[].image"),
    (REGISTRIES, entry("quay.io.evil.org/base:1"), "spec.catalogue.entries[].image"),
    (
        REGISTRIES,
        {"workflows": WORKFLOWS | {"vettedImages": ["evil.org/a:1"]}},
        "spec.workflows.vettedImages[]",
    ),
    ({"digests": True}, entry(), ""),
    ({"digests": True}, {}, ""),
    ({"digests": True}, entry("quay.io/base:1"), "spec.catalogue.entries[].image"),
    ({"digests": False}, entry("quay.io/base:1"), ""),
    ({"storageClasses": ["cephfs"]}, homes(storageClass="cephfs"), ""),
    ({"storageClasses": ["cephfs"]}, homes(size="1Ti"), ""),
    ({"storageClasses": ["cephfs"]}, homes(storageClass="fast"), "spec.storage.homes.volume.storageClass"),
    (
        {"storageClasses": ["cephfs"]},
        {"database": {"embedded": {"storageClass": "fast"}}},
        "spec.database.embedded.storageClass",
    ),
    ({"ingressClasses": ["nginx"]}, {"exposure": {"ingressClass": "traefik"}}, "spec.exposure.ingressClass"),
    (GATEWAYS, {"exposure": {"gateway": {"namespace": "infra", "name": "public"}}}, ""),
    (GATEWAYS, {"exposure": {"gateway": {"namespace": "infra", "name": "inner"}}}, "spec.exposure.gateway"),
    (GATEWAYS, {"exposure": {"gateway": {"namespace": "evil", "name": "public"}}}, "spec.exposure.gateway"),
    (GATEWAYS, {}, ""),
    (CERTIFICATES, {"exposure": {"tls": {"certManager": {"issuer": "letsencrypt"}}}}, ""),
    (CERTIFICATES, {"exposure": {"tls": {"certManager": {"issuer": "own", "kind": "Issuer"}}}}, ""),
    (
        CERTIFICATES,
        {"exposure": {"tls": {"certManager": {"issuer": "inner"}}}},
        "spec.exposure.tls.certManager.issuer",
    ),
    (RSES, rse("se1.storage.example.org"), ""),
    (RSES, rse("evilstorage.example.org"), "spec.dataLake.rses[].protocols[].hostname"),
    (SERVICES, s3("https://s3.example.org:9000"), ""),
    (SERVICES, s3("https://example.org.evil.org"), "spec.storage.s3[].endpoint"),
    (
        SERVICES,
        {
            "dataLake": {
                "enabled": True,
                "attach": {"url": "https://rucio.other.org", "credentialsSecret": {"name": "a"}},
            }
        },
        "spec.dataLake.attach.url",
    ),
    ({"maximum": {"cpu": 2}}, {}, ""),
    ({"maximum": {"cpu": 1.5}}, {}, ""),
    (
        {"maximum": {"cpu": 1.5}},
        {"notebooks": {"resources": {"memoryLimit": "1Gi"}}},  # beside which stands the default
        "spec.notebooks.resources.cpuLimit",
    ),
    ({"maximum": {"cpu": 4}}, entry(resources={"cpuLimit": 8}), "spec.catalogue.entries[].resources.cpuLimit"),
    ({"maximum": {"memory": "2Gi"}}, {}, ""),
    (
        {"maximum": {"memory": "2Gi"}},
        {"notebooks": {"resources": {"memoryLimit": "2049Mi"}}},
        "spec.notebooks.resources.memoryLimit",
    ),
    ({"maximum": {"gpus": 0}}, entry(gpus={"count": 1}), "spec.catalogue.entries[].gpus.count"),
    ({"maximum": {"gpus": 1}}, entry(gpus={"count": 1}), ""),
    ({"maximum": {"sessions": 20}}, {}, ""),
    ({"maximum": {"sessions": 20}}, {"notebooks": {"maxSessions": 21}}, "spec.notebooks.maxSessions"),
    ({"maximum": {"home": "1Gi"}}, {"storage": {"homes": {"size": "1025Mi"}}}, "spec.storage.homes.size"),
    ({"maximum": {"volume": "1Ti"}}, homes(size="2Ti"), "spec.storage.homes.volume.size"),
    ({"maximum": {"volume": "1Ti"}}, homes(size="1024Gi"), ""),
    ({"maximum": {"runningWorkflows": 10}}, {"workflows": {"maxRunning": 11}}, "spec.workflows.maxRunning"),
    ({"maximum": {"jobMemory": "8Gi"}}, {}, ""),
    (
        {"maximum": {"jobMemory": "8Gi"}},
        {"workflows": {"jobs": {"maxMemory": "9Gi"}}},
        "spec.workflows.jobs.maxMemory",
    ),
]


class Api:
    """kubectl as a person, and the site."""

    def __init__(self, cluster: Cluster) -> None:
        self._command = [str(cluster.bin / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]

    def __call__(self, *arguments: str, given: Any = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def apply(self, obj: Json, *more: str) -> subprocess.CompletedProcess[str]:
        return self("apply", "--server-side", "--force-conflicts", "-o", "json", "-f", "-", *more, given=obj)

    def bound(self, bounds: Json, **more: Any) -> None:
        """The site's word, as soon as the API server heeds it: it follows its parameters by a watch."""
        site = {
            "apiVersion": names.API_VERSION,
            "kind": names.SITE_KIND,
            "metadata": {"name": "site"},
            "spec": {"bounds": bounds} | more,
        }
        self("delete", names.SITE_PLURAL, "site", "--ignore-not-found")
        done = self("create", "-f", "-", given=site)
        assert done.returncode == 0, done.stderr

    def refusal(self, obj: Json, expected: bool) -> str:
        """What the API server says against it; asked again for a while where the other answer is expected."""
        deadline = time.monotonic() + 20
        while True:
            done = self.apply(obj, "--dry-run=server")
            said = done.stderr if done.returncode else ""
            if bool(said) == expected or time.monotonic() > deadline:
                return said
            time.sleep(0.2)


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[Api]:
    kubectl = Api(cluster)
    for one in DEFINITIONS:
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=custom_resource_definition(one))
        assert (
            kubectl("wait", "--for=condition=Established", f"crd/{one.name}", "--timeout=30s").returncode == 0
        )
    policies = [one for one in Helm(cluster).render() if one["metadata"]["name"].endswith("-bounds")]
    assert len(policies) == 2
    for policy in policies:
        done = kubectl("apply", "--server-side", "-f", "-", given=policy)
        assert done.returncode == 0, done.stderr
    kubectl("create", "namespace", SPACE)
    yield kubectl
    for policy in policies:
        kubectl("delete", policy["kind"], policy["metadata"]["name"])
    kubectl("delete", names.SITE_PLURAL, "--all")
    kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.mark.parametrize(("bounds", "change", "field"), CASES)
def test_the_api_server_and_the_operator_say_the_same(api: Api, bounds: Json, change: Json, field: str) -> None:
    wish = merge(GOOD, {"spec": change})
    api("delete", names.SITE_PLURAL, "--all")
    whole = api.apply(wish, "--dry-run=server")
    deadline = time.monotonic() + 20
    while whole.returncode and time.monotonic() < deadline:
        whole = api.apply(wish, "--dry-run=server")  # the former site is still remembered
    assert whole.returncode == 0, whole.stderr

    drawn = Bounds.model_validate(bounds)
    said = list(broken(drawn, SPACE, json.loads(whole.stdout)["spec"]))
    assert [_field(one) for one in said] == ([field] if field else []), said
    api.bound(bounds)
    refused = api.refusal(wish, expected=bool(field))
    if field:
        assert f"{field}: {said[0].split(': ', 1)[1]}" in refused, refused
    else:
        assert refused == ""


def _field(said: str) -> str:
    """Without the places in lists."""
    return re.sub(r"\[\d+\]", "[]", said.split(": ", 1)[0])


def test_every_bound_refuses_something() -> None:
    refused = {field for _, _, field in CASES}
    for bound in BOUNDS:
        assert any(f"spec.{path}" in refused for path in bound.paths), bound.field


@pytest.fixture
def standing(api: Api) -> Iterator[Callable[[Mapping[str, Any]], Json]]:
    """A tenant from before the bounds."""

    def make(change: Mapping[str, Any]) -> Json:
        wish: Json = merge(GOOD, {"spec": change})
        api("delete", names.SITE_PLURAL, "--all")
        deadline = time.monotonic() + 20
        while (done := api.apply(wish)).returncode and time.monotonic() < deadline:
            time.sleep(0.2)
        assert done.returncode == 0, done.stderr
        return wish

    yield make
    api("delete", names.PLURAL, "--all", "--namespace", SPACE)


def test_who_stands_out_of_bounds_may_change_what_is_within(
    api: Api, standing: Callable[[Mapping[str, Any]], Json]
) -> None:
    wish = standing(entry("jupyter/base:1") | {"hostname": "old.example.net"})
    api.bound({"grants": GRANTS, **REGISTRIES, "maximum": {"sessions": 20}})
    assert api.refusal(merge(wish, {"spec": {"hostname": "older.example.net"}}), expected=True)
    assert api.refusal(merge(wish, {"spec": {"suspend": True}}), expected=False) == ""
    assert api.refusal(merge(wish, {"spec": {"notebooks": {"maxSessions": 60}}}), expected=True)
    assert api.refusal(merge(wish, {"spec": {"notebooks": {"maxSessions": 20}}}), expected=False) == ""
    assert api.refusal(merge(wish, {"spec": entry("jupyter/base:2")}), expected=True)
    # What is no wish: the operator's finalizer, a label, the end.
    patched = merge(wish, {"metadata": {"finalizers": ["example.org/kept"], "labels": {"a": "b"}}})
    assert api.refusal(patched, expected=False) == ""


def test_a_preset_is_one_of_the_sites(api: Api, standing: Callable[[Mapping[str, Any]], Json]) -> None:
    wish = standing({"preset": "gone"})
    api.bound({}, presets=[{"name": "school", "notebooks": {"maxSessions": 5}}, {"name": "large"}])
    refused = api.refusal(merge(wish, {"spec": {"preset": "scool"}}), expected=True)
    assert "spec.preset: is no preset of this site: leave it out, or use one of school, large" in refused
    assert api.refusal(merge(wish, {"spec": {"preset": "school"}}), expected=False) == ""
    assert api.refusal(merge(wish, {"spec": {"suspend": True}}), expected=False) == ""
    api.bound({})
    assert "is no preset of this site" in api.refusal(merge(wish, {"spec": {"preset": "a"}}), expected=True)


def test_a_site_chooses_none_but_its_own(api: Api) -> None:
    site = {"apiVersion": names.API_VERSION, "kind": names.SITE_KIND, "metadata": {"name": "site"}}
    done = api.apply(site | {"spec": {"defaults": {"preset": "school"}}}, "--dry-run=server")
    assert "is no preset of this VRESite: name one of spec.presets, or add it there" in done.stderr
    both = {"defaults": {"preset": "school"}, "presets": [{"name": "school"}]}
    done = api.apply(site | {"spec": both}, "--dry-run=server")
    assert done.returncode == 0, done.stderr


def test_there_is_one_site(api: Api) -> None:
    other = {"apiVersion": names.API_VERSION, "kind": names.SITE_KIND, "metadata": {"name": "other"}}
    done = api("create", "-f", "-", given=other)
    assert "name it site: there is one for the whole cluster" in done.stderr
