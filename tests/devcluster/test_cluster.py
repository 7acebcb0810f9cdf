"""The development cluster with a real node: what the rest of the project takes for granted."""

import http.client
import json
import time

import pytest

from dev.cluster import Cluster
from dev.cluster.images import own_images
from tests.devcluster.support import claim, eventually, get, ingress, kubectl, pod, service

pytestmark = pytest.mark.e2e

WEB = 'echo "hello from $(id -u)"; echo page > /data/index.html; exec httpd -f -p 8080 -h /data'


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Cluster:
    """A web server on a volume, behind a Service and an Ingress."""
    image = own_images(cluster.bin).helper
    objects = [
        claim("data"),
        pod("web", image, WEB, volume="data"),
        service("web", 8080, {"app": "web"}),
        ingress("web", {"/": "web"}),
    ]
    kubectl(cluster, "apply", "-f", "-", apply=objects)
    kubectl(cluster, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    return cluster


def test_a_pod_runs_as_its_user_and_writes_its_volume(web: Cluster) -> None:
    assert kubectl(web, "logs", "web") == "hello from 1000\n"
    assert kubectl(web, "exec", "web", "--", "cat", "/data/index.html") == "page\n"
    assert kubectl(web, "get", "pvc", "data", "-o", "jsonpath={.status.phase}") == "Bound"


def test_pods_resolve_services_and_the_development_domain(web: Cluster) -> None:
    address = kubectl(web, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    assert address in kubectl(web, "exec", "web", "--", "nslookup", "web.default.svc.cluster.local")
    assert web.node_ip in kubectl(web, "exec", "web", "--", "nslookup", "any.vre.localhost")


def test_pods_and_this_machine_reach_services(web: Cluster) -> None:
    assert kubectl(web, "exec", "web", "--", "wget", "-qO-", "http://web.default") == "page\n"
    address = kubectl(web, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    asking = http.client.HTTPConnection(address, timeout=10)
    asking.request("GET", "/")
    with asking.getresponse() as answer:
        assert answer.read() == b"page\n"
    asking.close()


def test_pods_cannot_leave_the_machine(web: Cluster) -> None:
    outside = "wget -qO- http://192.0.2.80/ 2>&1 || true"
    assert "unreachable" in kubectl(web, "exec", "web", "--", "sh", "-c", outside)


def test_ingress_serves_https_that_the_cluster_ca_vouches_for(web: Cluster) -> None:
    assert eventually(lambda: get(web, "web.vre.localhost"), (200, "page\n"))
    found = json.loads(kubectl(web, "get", "ingress", "web", "-o", "json"))
    assert found["status"]["loadBalancer"]["ingress"][0]["ip"] == web.node_ip
    assert get(web, "nobody.vre.localhost")[0] == 404


def test_plain_http_is_sent_to_https(web: Cluster) -> None:
    asking = http.client.HTTPConnection(web.node_ip, timeout=10)
    asking.request("GET", "/a%2Fb?c", headers={"Host": "web.vre.localhost"})
    with asking.getresponse() as answer:
        assert answer.status == 308
        assert answer.headers["Location"] == "https://web.vre.localhost/a%2Fb?c"
    asking.close()


def test_requests_are_audited(web: Cluster) -> None:
    events = [json.loads(line) for line in web.audit_log.read_text().splitlines()]
    assert any(event["verb"] == "create" and event["objectRef"]["resource"] == "ingresses" for event in events)
    assert {event["level"] for event in events} == {"Metadata"}


def test_loading_twice_loads_once(cluster: Cluster) -> None:
    assert cluster.load(own_images(cluster.bin).archives) == []


def test_up_on_a_running_cluster_changes_nothing(cluster: Cluster) -> None:
    before = cluster.kubeconfig.read_text()
    began = time.monotonic()
    Cluster(cluster.name).up()
    assert time.monotonic() - began < 5
    assert cluster.kubeconfig.read_text() == before
