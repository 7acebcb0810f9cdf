"""A tenant from the shortest manifest, made by a real operator with the site's registration at a real provider,
and what its admin tries to get at that."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster
from dev.oidc import provider
from dev.oidc.provider import Registry
from tests.cluster.test_chart import Helm
from tests.site import ROOT, SYSTEM, Json, Site, eventually, operating

TOKEN = "the-sites-own-registration-token"
SHORT: Json = yaml.safe_load((ROOT / "examples/short.yaml").read_text())["spec"]
ATLAS, EVE = "defatlas", "defeve"


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        provider.running(tmp_path_factory.mktemp("provider"), TOKEN) as registry,
        operating(cluster, registry, tmp_path_factory.mktemp("operator")) as site,
    ):
        for one in Helm(cluster).render():
            if one["metadata"]["name"].endswith("-bounds"):
                site.kubectl("apply", "--server-side", "-f", "-", stdin=one)
        key = f"--from-literal=initial_access_token={TOKEN}"
        site.kubectl("-n", SYSTEM, "create", "secret", "generic", "registration", key)
        give(site)
        yield site
        for name in (ATLAS, EVE):
            site.kubectl("-n", name, "delete", "vre", "--all", "--timeout=120s", "--ignore-not-found")
        site.kubectl("delete", "vresites", "--all")
        site.kubectl("-n", SYSTEM, "delete", "secret", "registration")


def give(site: Site, presets: Sequence[Json] = (), **more: Any) -> None:
    spec: Json = {
        "bounds": {"grants": [{"namespaces": ["*"], "domains": ["{namespace}.vre.example.org"]}]},
        "defaults": {
            "domain": "{namespace}.vre.example.org",
            "identity": {
                "issuer": site.registry.issuer,
                "provider": "generic-dcr",
                "credentialsSecret": {"name": "registration"},
            },
        }
        | more,
        "presets": list(presets),
    }
    obj = {"apiVersion": "vre.science/v1alpha1", "kind": "VRESite", "metadata": {"name": "site"}, "spec": spec}
    site.kubectl("apply", "-f", "-", stdin=obj)


def wish(name: str, spec: Json) -> Json:
    return {
        "apiVersion": "vre.science/v1alpha1",
        "kind": "VREEnvironment",
        "metadata": {"name": "vre", "namespace": name},
        "spec": spec,
    }


def ask(site: Site, name: str, spec: Json) -> None:
    if site.get("namespace", name) is None:
        site.kubectl("create", "namespace", name)
    site.kubectl("apply", "-f", "-", stdin=wish(name, spec))


def refusal(site: Site, name: str, spec: Json) -> str:
    command = [str(site.cluster.kubectl), "--kubeconfig", str(site.cluster.kubeconfig)]
    done = subprocess.run(
        [*command, "apply", "--dry-run=server", "-f", "-"],
        input=json.dumps(wish(name, spec)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    return done.stderr


def clients(registry: Registry, host: str) -> list[Json]:
    return [one for one in registry.clients() if host in json.dumps(one)]


def shows(site: Site, name: str) -> list[str]:
    """Everything of a tenant's in which the site's credential is."""
    found = []
    for space in (name, f"{name}-notebooks", f"{name}-workflows"):
        for kind in ("secrets", "configmaps", "pods", "events", "jobs", "deployments", "vre"):
            for one in (site.get("-n", space, kind) or {"items": []})["items"]:
                text = json.dumps(one)
                values = [base64.b64decode(value).decode(errors="replace") for value in _data(one)]
                if any(TOKEN in told for told in (text, *values)):
                    found.append(f"{kind} {space}/{one['metadata']['name']}")
    return found


def _data(obj: Json) -> list[str]:
    return list((obj.get("data") or {}).values()) if obj["kind"] == "Secret" else []


def log(site: Site) -> str:
    return (Path(site.operator.folder) / "log").read_text()


@pytest.mark.attack("tenant admin", "the site's registration credential, in what is made for her")
def test_the_shortest_manifest_is_a_tenant_and_shows_no_credential(site: Site) -> None:
    ask(site, ATLAS, SHORT)
    site.settled(ATLAS)
    (client,) = clients(site.registry, ATLAS)
    assert client["redirect_uris"] == [f"https://{ATLAS}.vre.example.org/hub/oauth_callback"]
    vre = site.get("-n", ATLAS, "vre", "vre")
    assert vre is not None
    assert "hostname" not in vre["spec"]
    assert vre["status"]["endpoints"]["url"] == f"https://{ATLAS}.vre.example.org"
    told = {one["field"]: one["value"] for one in vre["status"]["defaults"]}
    assert told == {"spec.hostname": f"{ATLAS}.vre.example.org", "spec.identity.issuer": site.registry.issuer}
    assert site.condition(ATLAS, "WithinBounds")[0] == "True"
    assert shows(site, ATLAS) == []
    assert TOKEN not in log(site)
    secrets = (site.get("-n", ATLAS, "secrets") or {})["items"]
    assert any(client["client_id"] in base64.b64decode(v).decode() for one in secrets for v in _data(one)), (
        "or nothing above would prove anything"
    )


def test_a_restarted_operator_leaves_it_alone(site: Site) -> None:
    before = site.get("-n", ATLAS, "vre", "vre")
    assert site.operator.end(signal.SIGTERM) == 0
    site.operator.start()
    time.sleep(5)
    after = site.get("-n", ATLAS, "vre", "vre")
    assert after == before


@pytest.mark.attack("tenant admin", "the site's registration credential, for a provider of her own")
def test_another_issuer_gets_nothing_of_the_sites(site: Site) -> None:
    own = {"issuer": "https://evil.example.net", "provider": "generic-dcr", "allowAll": True}
    ask(site, EVE, {"identity": own | {"credentialsSecret": {"name": "registration"}}})
    message = site.settled(EVE, "SecretNotFound", "IdentityReady")
    assert f"in namespace {EVE}" in message
    assert clients(site.registry, EVE) == []
    assert shows(site, EVE) == []
    site.kubectl("-n", EVE, "delete", "vre", "vre", "--timeout=60s")


@pytest.mark.attack("tenant admin", "the site's registration credential, beside")
@pytest.mark.parametrize("beside", ["provider", "credentialsSecret"])
def test_nothing_of_her_own_goes_beside_the_sites_issuer(site: Site, beside: str) -> None:
    values: Json = {"provider": "manual", "credentialsSecret": {"name": "registration"}}
    said = refusal(site, EVE, {"identity": {"allowAll": True, beside: values[beside]}})
    assert f"spec.identity.{beside}" in said
    assert "name the issuer that it is for, or remove it" in said


def test_an_issuer_that_was_given_cannot_be_named_otherwise(site: Site) -> None:
    other = SHORT["identity"] | {"issuer": "https://evil.example.net", "provider": "generic-dcr"}
    said = refusal(site, ATLAS, {"identity": other})
    assert "spec.identity.issuer" in said
    assert "set it to the issuer in status.defaults" in said


def test_who_stands_waits_when_the_sites_provider_changes_and_keeps_its_name(site: Site) -> None:
    moved = {"issuer": "https://new.example.org", "provider": "generic-dcr"}
    before = site.get("-n", ATLAS, "ingress")
    give(site, identity=moved, domain="{namespace}.moved.example.org")
    message = site.settled(ATLAS, "IssuerMoved")
    assert f"name {site.registry.issuer} with a credential of your own" in message
    assert site.get("-n", ATLAS, "ingress") == before
    give(site, domain="{namespace}.moved.example.org")
    site.settled(ATLAS)
    assert site.get("-n", ATLAS, "ingress") == before
    assert len(clients(site.registry, ATLAS)) == 1
    give(site)


def test_what_follows_the_site_follows_at_once(site: Site) -> None:
    give(site, exposure={"ingressClass": "nowhere"})
    assert "IngressClass nowhere does not exist" in site.settled(ATLAS, "IngressClassNotFound", "ExposureReady")
    give(site)
    site.settled(ATLAS)


def sessions(site: Site) -> str:
    quota = site.get("-n", f"{ATLAS}-notebooks", "resourcequota", "vre")
    return str(quota and quota["spec"]["hard"]["limits.memory"])


def sizes(site: Site) -> dict[str, str]:
    """What of sizes the tenant reads that it was given."""
    told = (site.get("-n", ATLAS, "vre", "vre") or {})["status"].get("given") or ()
    return {one["field"]: one["value"] for one in told if one["field"].startswith("spec.notebooks.")}


def test_a_preset_is_followed_and_its_end_changes_nothing(site: Site) -> None:
    def one(sizes: int) -> Json:
        resources = {"memoryLimit": "1Gi"}
        return {"name": "school", "notebooks": {"maxSessions": sizes, "resources": resources}}

    give(site, presets=[one(5)])
    before = sessions(site)
    ask(site, ATLAS, SHORT | {"preset": "school"})
    eventually(lambda: sessions(site), lambda found: found != before)
    site.settled(ATLAS)
    first = sessions(site)
    give(site, presets=[one(10)])
    eventually(lambda: sessions(site), lambda found: found != first)
    site.settled(ATLAS)
    second = sessions(site)
    assert sizes(site)["spec.notebooks.maxSessions"] == "10"
    assert json.loads(sizes(site)["spec.notebooks.resources"])["memoryLimit"] == "1Gi"
    give(site)
    assert "spec.preset: school is no preset of this site" in site.settled(ATLAS, "InvalidSpec")
    assert sessions(site) == second
    site.kubectl(
        "-n", ATLAS, "patch", "vre", "vre", "--type=json", "-p", '[{"op":"remove","path":"/spec/preset"}]'
    )
    site.settled(ATLAS)
    assert sessions(site) == before
    assert sizes(site) == {}


def test_the_last_one_goes_with_its_client_without_a_site(site: Site) -> None:
    """What was remembered of the client is enough to remove it."""
    site.kubectl("delete", "vresites", "--all")
    site.settled(ATLAS, "IssuerMoved")
    site.kubectl("-n", ATLAS, "delete", "vre", "vre", "--timeout=120s")
    assert eventually(lambda: not clients(site.registry, ATLAS), bool)
    give(site)
