"""The systems around the operator, asked by other means than its own."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3

from dev import keycloak
from dev.cluster import Cluster
from dev.demo.installation import Installation
from dev.demo.kubectl import Kubectl

LIMIT = urllib3.Timeout(connect=5, read=30)


def through_ingress(cluster: Cluster, host: str) -> urllib3.HTTPSConnectionPool:
    """Connections to a hostname of the cluster, its certificate checked."""
    return urllib3.HTTPSConnectionPool(
        cluster.node_ip,
        443,
        server_hostname=host,
        assert_hostname=host,
        ca_certs=str(cluster.ca_file),
        headers={"Host": host},
        timeout=LIMIT,
    )


def status(cluster: Cluster, host: str, path: str) -> int:
    """What a page of a tenant answers to a stranger, redirects not followed."""
    with through_ingress(cluster, host) as pool:
        answer = pool.request("GET", path, headers=pool.headers, retries=False, redirect=False)
        return int(answer.status)


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Look again and again; AssertionError with `what` it was about."""
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if holds():
            return
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        # A program in a pod takes seconds of a core, which what is waited for needs.
        time.sleep(max(2, 3 * (time.monotonic() - began)))


def clients(cluster: Cluster) -> dict[str, str]:
    """Id by redirect URI."""
    return dict(all_clients(cluster))


def all_clients(cluster: Cluster) -> list[tuple[str, str]]:
    """The clients of the realm that have a redirect URI into the demo's domain: (first redirect URI, id)."""
    with through_ingress(cluster, keycloak.HOSTNAME) as provider:
        bearer = _bearer(provider, keycloak.REGISTRATION)
        found = provider.request("GET", f"/admin/realms/{keycloak.REALM}/clients", headers=bearer).json()
    return [
        (client["redirectUris"][0], client["clientId"])
        for client in found
        if any(f".{keycloak.DOMAIN}/" in uri for uri in client.get("redirectUris", []))
    ]


def enter_client(cluster: Cluster, name: str, wish: Mapping[str, Any]) -> dict[str, str]:
    """What a person enters at the provider by hand, as an item of status.registration says; its credential."""
    secret = secrets.token_hex(24)
    groups = {
        "name": "groups",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-group-membership-mapper",
        "config": {"claim.name": "groups", "full.path": "false", "userinfo.token.claim": "true"},
    }
    client = {
        "clientId": name,
        "secret": secret,
        "redirectUris": wish["redirectUris"],
        "publicClient": False,
        "protocolMappers": [groups],
    }
    with through_ingress(cluster, keycloak.HOSTNAME) as provider:
        headers = _bearer(provider, keycloak.REGISTRATION) | {"Content-Type": "application/json"}
        path = f"/admin/realms/{keycloak.REALM}/clients"
        answer = provider.request("POST", path, body=json.dumps(client), headers=headers)
        assert answer.status == 201, (answer.status, answer.data)
    return {"client_id": name, "client_secret": secret}


def contents(kubectl: Kubectl, *namespaces: str) -> set[str]:
    """Everything in these namespaces but what Kubernetes puts into each: "namespace/Kind/name"."""
    listed = kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    ignored = {"events", "events.events.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"}
    kinds = ",".join(kind for kind in listed if kind not in ignored and ".metrics.k8s.io" not in kind)
    found = (item for namespace in namespaces for item in kubectl.list(kinds, namespace))
    names = {f"{item['metadata']['namespace']}/{item['kind']}/{item['metadata']['name']}" for item in found}
    usual = ("ConfigMap/kube-root-ca.crt", "ServiceAccount/default")
    return {name for name in names if not name.endswith(usual)}


def secret(kubectl: Kubectl, namespace: str, name: str) -> dict[str, str]:
    """A Secret's values."""
    found = kubectl.get("secret", name, namespace)
    assert found is not None, f"Secret {namespace}/{name} is missing"
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


class Office:
    """Who puts people into groups, and out of them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def join(self, user: str, group: str) -> None:
        self._change("PUT", user, group)

    def leave(self, user: str, group: str) -> None:
        self._change("DELETE", user, group)

    def _change(self, method: str, user: str, group: str) -> None:
        with through_ingress(self._cluster, keycloak.HOSTNAME) as provider:
            bearer = _bearer(provider, keycloak.USER_OFFICE)
            realm = f"/admin/realms/{keycloak.REALM}"

            def found(what: str, **query: str) -> str:
                listed = provider.request("GET", f"{realm}/{what}", fields=query, headers=bearer).json()
                (one,) = listed
                return str(one["id"])

            person = found("users", username=user, exact="true")
            path = f"{realm}/users/{person}/groups/{found('groups', search=group, exact='true')}"
            answer = provider.request(method, path, headers=bearer)
            assert answer.status == 204, (answer.status, answer.data)


def _bearer(provider: urllib3.HTTPSConnectionPool, account: Mapping[str, str]) -> dict[str, str]:
    host = dict(provider.headers)
    form = {"grant_type": "client_credentials", **account}
    path = f"/realms/{keycloak.REALM}/protocol/openid-connect/token"
    token = provider.request("POST", path, fields=form, encode_multipart=False, headers=host).json()
    return host | {"Authorization": f"Bearer {token['access_token']}"}


@dataclass(frozen=True)
class Rucio:
    """Rucio's REST API, as root."""

    pool: urllib3.HTTPConnectionPool
    token: str = field(repr=False)

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Create something; being there already is fine."""
        answer = self.pool.request("POST", path, json=body, headers={"X-Rucio-Auth-Token": self.token})
        assert answer.status in {201, 409}, (answer.status, answer.headers.get("ExceptionMessage"))


@contextmanager
def rucio(installation: Installation, namespace: str) -> Iterator[Rucio]:
    """Log in with the password that the operator generated; through a forwarded port, as it is not exposed."""
    root = secret(installation.kubectl, namespace, "rucio-root")
    with (
        installation.kubectl.forwarded("service/rucio", 80, namespace) as port,
        urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=LIMIT) as pool,
    ):
        login = {"X-Rucio-Account": "root", "X-Rucio-Username": "root", "X-Rucio-Password": root["password"]}
        answer = pool.request("GET", "/auth/userpass", headers=login)
        assert answer.status == 200, answer.status
        yield Rucio(pool, answer.headers["X-Rucio-Auth-Token"])
