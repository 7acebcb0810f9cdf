"""A Gateway as a tenant meets it, without one: its definitions, the object, and what a controller would say."""

from __future__ import annotations

import json

import pytest

from dev import gateway_api
from dev.system import MissingError
from tests.site import ROOT, Json, Site

INFRA, PUBLIC = "infra", "public"
GATEWAY: Json = {"namespace": INFRA, "name": PUBLIC, "sectionName": "https"}
_CRDS = ("gatewayclasses", "gateways", "httproutes")
_SAID = "2026-01-01T00:00:00Z"


def install(site: Site) -> None:
    """The definitions; skips the test where they cannot be had."""
    try:
        files = gateway_api.definitions()
    except MissingError as missing:
        pytest.skip(f"no Gateway API: {missing}")
    for file in files:
        site.kubectl("apply", "--server-side", "-f", str(file))
    for crd in _CRDS:
        name = f"crd/{crd}.gateway.networking.k8s.io"
        site.kubectl("wait", "--for=condition=Established", name, "--timeout=60s")


def uninstall(site: Site) -> None:
    for crd in _CRDS:
        site.kubectl("delete", "crd", f"{crd}.gateway.networking.k8s.io", "--ignore-not-found")


def make(site: Site) -> None:
    """The site's Gateway, as the example has it; nothing serves it."""
    if site.get("namespace", INFRA) is None:
        site.kubectl("create", "namespace", INFRA)
    site.kubectl("apply", "--server-side", "-f", str(ROOT / "examples/site/gateway.yaml"))


def condition(name: str, route: Json, status: str = "True", reason: str = "", message: str = "") -> Json:
    return {
        "type": name,
        "status": status,
        "reason": reason or name,
        "message": message,
        "observedGeneration": route["metadata"]["generation"],
        "lastTransitionTime": _SAID,
    }


def answer(site: Site, namespace: str, name: str, *conditions: Json) -> None:
    """What the Gateway's controller writes of a route: content, but for the `conditions` given."""
    route = site.get("-n", namespace, "httproute", name)
    assert route is not None
    said = {one["type"]: one for one in (condition(kind, route) for kind in ("Accepted", "ResolvedRefs"))}
    said |= {one["type"]: one for one in conditions}
    status = {
        "parents": [
            {
                "parentRef": route["spec"]["parentRefs"][0],
                "controllerName": "example.org/gateway",
                "conditions": list(said.values()),
            }
        ]
    }
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    site.kubectl("-n", namespace, "patch", "httproute", name, *patch)


def routes(site: Site, namespace: str) -> list[str]:
    """Their names."""
    listed = site.get("-n", namespace, "httproutes") or {"items": []}
    return sorted(one["metadata"]["name"] for one in listed["items"])
