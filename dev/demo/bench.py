"""``make bench``: what the project promises, measured. It prints and judges nothing."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes import client, config
from rich.console import Console
from rich.table import Table

from dev import keycloak
from dev.demo import journey, tenant
from dev.demo.browser import browser, person
from dev.demo.installation import ALICE, RELEASE, SYSTEM, Installation, variant
from dev.progress import note, step

NAMESPACE = "bench"
REST_SECONDS = 60
SETTLE_SECONDS = 10
ARTIFACTS = Path("artifacts") / "bench"


def run(installation: Installation) -> None:
    """Measure with a fresh tenant and print the table."""
    table = Table("measure", "target", "seen", title="vre-operator")
    kubectl = installation.kubectl
    remove(installation)
    manifest = variant(NAMESPACE)
    with step("apply to Ready"):
        began = time.monotonic()
        installation.create_tenant(manifest)
        tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, seconds=300, say=note)
        table.add_row("apply to Ready, images on the node", "90 s", f"{time.monotonic() - began:.1f} s")
    with step("spawn to JupyterLab"):
        seconds = spawn(installation, f"https://{manifest['spec']['hostname']}")
        table.add_row("spawn request to JupyterLab answering", "15 s", f"{seconds:.1f} s")
    with step("drift"):
        for what, milliseconds in drift(installation):
            table.add_row(f"{what}, and back", "1000 ms", f"{milliseconds:.0f} ms")
    with step(f"requests in {REST_SECONDS} s at rest"):
        seen = requests_at_rest(installation)
        told = ", ".join(f"{verb} {count}" for verb, count in sorted(seen.items())) or "none"
        table.add_row(f"operator's requests in {REST_SECONDS} s", "the Lease's only", told)
    remove(installation)
    Console(width=110).print(table)


def remove(installation: Installation) -> None:
    """Delete the tenant and what it keeps."""
    kubectl = installation.kubectl
    kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE, timeout=180)
    for namespace in (NAMESPACE, f"{NAMESPACE}-notebooks", f"{NAMESPACE}-workflows"):
        kubectl.delete("namespace", namespace, timeout=180)


def spawn(installation: Installation, url: str) -> float:
    """Seconds from the click on Start to an open JupyterLab."""
    cluster = installation.cluster
    album = journey.Album(ARTIFACTS)
    with browser(cluster.ca_file, keycloak.DOMAIN, str(cluster.node_ip)) as started, person(started) as page:
        journey.log_in(page, url, ALICE, album)
        journey.choose_image(page, album)
        began = time.monotonic()
        journey.reach_lab(page, album)
        return time.monotonic() - began


def drift(installation: Installation) -> list[tuple[str, float]]:
    """Milliseconds until a deleted Service and an edited ConfigMap are as they were."""
    connect: Any = config.new_client_from_config  # the library says nothing about its types
    with connect(str(installation.cluster.kubeconfig)) as connection:
        core: Any = client.CoreV1Api(connection)
        service = core.list_namespaced_service(NAMESPACE).items[0]
        owned = next(
            found
            for found in core.list_namespaced_config_map(NAMESPACE).items
            if "vre.science/tenant-uid" in (found.metadata.labels or {})
        )
        key, text = next(iter(owned.data.items()))

        def service_is_back() -> bool:
            try:
                found = core.read_namespaced_service(service.metadata.name, NAMESPACE)
            except client.ApiException:
                return False
            return bool(found.metadata.uid != service.metadata.uid)

        def text_is_back() -> bool:
            found = core.read_namespaced_config_map(owned.metadata.name, NAMESPACE)
            return bool(found.data[key] == text)

        core.delete_namespaced_service(service.metadata.name, NAMESPACE)
        deleted = _milliseconds(service_is_back)
        core.patch_namespaced_config_map(owned.metadata.name, NAMESPACE, {"data": {key: "edited"}})
        edited = _milliseconds(text_is_back)
    return [
        (f"Service {service.metadata.name} deleted", deleted),
        (f"ConfigMap {owned.metadata.name} edited", edited),
    ]


def _milliseconds(reached: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not reached():
        if time.monotonic() - began > 60:
            raise TimeoutError("not back after a minute")
        time.sleep(0.005)
    return (time.monotonic() - began) * 1000


def requests_at_rest(installation: Installation) -> Counter[str]:
    """Count the operator's requests by verb and resource, from the API server's audit log."""
    time.sleep(SETTLE_SECONDS)
    began = datetime.now().astimezone()
    time.sleep(REST_SECONDS)
    return requests(installation, began, began + timedelta(seconds=REST_SECONDS))


def requests(installation: Installation, start: datetime, end: datetime) -> Counter[str]:
    """Count the operator's requests that the API server received between two moments."""
    user = f"system:serviceaccount:{SYSTEM}:{RELEASE}"
    seen: dict[str, str] = {}
    with installation.cluster.audit_log.open() as log:
        for line in log:
            event = json.loads(line)
            received = datetime.fromisoformat(event["requestReceivedTimestamp"])
            if event["user"]["username"] == user and start <= received < end:
                resource = event.get("objectRef", {}).get("resource", event["requestURI"])
                seen[event["auditID"]] = f"{event['verb']} {resource}"
    return Counter(seen.values())
