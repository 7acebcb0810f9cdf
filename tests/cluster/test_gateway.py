"""Routes in the place of Ingresses, before a real API server with the Gateway API's own definitions.

The Gateway's controller is this test: it writes the status that one writes."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from tests import gateways
from tests.gateways import GATEWAY, answer, condition
from tests.site import Json, Site, eventually, operating

NAME, OTHER = "gwatlas", "gwplain"
NO, UNRESOLVED, IN_PART = ("Accepted", "False"), ("ResolvedRefs", "False"), ("PartiallyInvalid", "True")
LAKE = {"enabled": True, "hostname": f"rucio.{NAME}.example.org"}


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        provider.running(tmp_path_factory.mktemp("provider")) as registry,
        # Another module may have brought them.
        operating(cluster, registry, tmp_path_factory.mktemp("operator"), before=gateways.uninstall) as site,
    ):
        yield site
        for name in (NAME, OTHER):
            site.kubectl("-n", name, "delete", "vre", "--all", "--timeout=120s", "--ignore-not-found")


@pytest.fixture(scope="module")
def late(site: Site) -> str:
    """A tenant of a cluster that has no Gateways, and what it is told."""
    site.make(NAME, exposure={"gateway": GATEWAY}, dataLake=LAKE)
    return site.settled(NAME, "GatewayApiNotInstalled", "ExposureReady")


@pytest.fixture(scope="module")
def tenant(late: str, site: Site) -> str:
    """Its routes, once the definitions and the Gateway are there; nobody has said anything of them yet."""
    gateways.install(site)
    gateways.make(site)
    eventually(lambda: gateways.routes(site, NAME) == ["rucio", "vre"])
    return NAME


def all_well(site: Site) -> None:
    for name in gateways.routes(site, NAME):
        answer(site, NAME, name)


def ingresses(site: Site) -> list[str]:
    listed = site.get("-n", NAME, "ingresses") or {"items": []}
    return sorted(one["metadata"]["name"] for one in listed["items"])


def route(site: Site) -> Json:
    found = site.get("-n", NAME, "httproute", "vre")
    assert found is not None
    return found


def test_without_the_gateway_api_it_is_said_and_all_others_go_on(late: str, site: Site) -> None:
    assert "installs the Gateway API" in late
    assert ingresses(site) == []
    site.make(OTHER)
    site.settled(OTHER)


def test_a_route_that_nobody_looks_at_is_not_ready(tenant: str, site: Site) -> None:
    message = site.settled(tenant, "Progressing", "ExposureReady")
    assert "Gateway infra/public, listener https, says nothing of it yet" in message
    assert "kubectl -n infra describe gateway public" in message


def test_the_tenant_is_ready_when_the_gateway_takes_all_routes(tenant: str, site: Site) -> None:
    answer(site, tenant, "vre")
    time.sleep(1)
    assert site.condition(tenant, "ExposureReady")[0] == "False", "Rucio's is not taken yet"
    all_well(site)
    site.settled(tenant)
    spec = route(site)["spec"]
    assert spec["hostnames"] == [f"{tenant}.example.org"]
    assert spec["parentRefs"][0].items() >= GATEWAY.items()
    assert [one["timeouts"] for one in spec["rules"]] == [{"request": "0s"}] * len(spec["rules"])
    assert ingresses(site) == []


def test_and_then_it_costs_nothing(tenant: str, site: Site) -> None:
    time.sleep(2)
    assert site.requests(lambda: time.sleep(12)) == Counter()


def test_nor_does_a_restart(tenant: str, site: Site) -> None:
    assert site.operator.end(signal.SIGTERM) == 0
    assert site.writes_of_a_start() == []
    assert site.condition(tenant)[1] == "Ready"


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        (NO, "NotAllowedByListeners", f"has to admit namespace {NAME} there"),
        (NO, "NoMatchingListenerHostname", f"None of its listeners is for {NAME}.example.org"),
        (NO, "NoMatchingParent", "see spec.exposure.gateway.sectionName"),
        (UNRESOLVED, "BackendNotFound", f"kubectl -n {NAME} describe httproute vre"),
        (IN_PART, "UnsupportedValue", "serves only a part of it"),
    ],
)
def test_what_the_gateway_refuses_is_told_with_its_own_words(
    tenant: str, site: Site, said: tuple[str, str], reason: str, words: str
) -> None:
    answer(site, tenant, "vre", condition(said[0], route(site), said[1], reason, "the controller's own words."))
    message = site.settled(tenant, "RouteNotAccepted", "ExposureReady")
    assert "HTTPRoute vre: Gateway infra/public, listener https, " in message
    assert f"{reason}: the controller's own words. " in message
    assert words in message
    answer(site, tenant, "vre")
    site.settled(tenant)


def test_what_was_said_of_a_former_route_does_not_count(tenant: str, site: Site) -> None:
    site.patch(tenant, hostname=f"new.{tenant}.example.org")
    message = site.settled(tenant, "Progressing", "ExposureReady")
    assert "has not taken up the change yet" in message
    all_well(site)
    site.settled(tenant)


def test_what_a_person_changes_is_taken_back(tenant: str, site: Site) -> None:
    before = route(site)["spec"]
    for at in ("/spec/rules/0", "/spec/rules/0/backendRefs/0"):
        changes = [{"op": "add", "path": f"{at}/filters", "value": [_somebody_else()]}]
        site.kubectl("-n", tenant, "patch", "httproute", "vre", "--type=json", "-p", json.dumps(changes))
        eventually(lambda: route(site)["spec"] == before)
    all_well(site)
    site.settled(tenant)


def _somebody_else() -> Json:
    return {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {"set": [{"name": "Cookie", "value": "login=eve"}]},
    }


def test_to_an_ingress_and_back_the_other_goes(tenant: str, site: Site) -> None:
    site.patch(tenant, exposure={"gateway": None})
    site.settled(tenant)
    eventually(lambda: (gateways.routes(site, NAME), ingresses(site)) == ([], ["rucio", "vre"]))
    site.patch(tenant, exposure={"gateway": GATEWAY})
    eventually(lambda: (gateways.routes(site, NAME), ingresses(site)) == (["rucio", "vre"], []))
    all_well(site)
    site.settled(tenant)


def test_what_stands_stays_until_there_is_a_gateway(site: Site) -> None:
    site.make(OTHER)
    site.settled(OTHER)
    site.patch(OTHER, exposure={"gateway": {"namespace": "infra", "name": "nowhere"}})
    message = site.settled(OTHER, "GatewayNotFound", "ExposureReady")
    assert "Gateway nowhere does not exist in namespace infra" in message
    assert "public" not in message, "what there is in other namespaces is not the tenant's to know"
    time.sleep(2)
    assert site.get("-n", OTHER, "ingress", "vre") is not None
    assert gateways.routes(site, OTHER) == []
    site.patch(OTHER, exposure={"gateway": None})
    site.settled(OTHER)


def test_a_tenant_goes_with_its_routes_also_when_the_definitions_went_before(tenant: str, site: Site) -> None:
    gateways.uninstall(site)
    site.kubectl("-n", tenant, "delete", "vre", "vre", "--timeout=120s")
