"""People who all start at once: `python -m tests.hub.bench_spawns [PEOPLE]`, 50 of them when not said.

The operator and a tenant's hub as processes, a real API server with its controllers, a node of kwok. All people
log in, and then ask for a session in the same moment, as their browsers would. Told are the seconds from
asking to the pod as a watch sees it, and what hub, operator and API server used meanwhile. The pods' addresses
are kwok's, so that no session ever answers: the time to that is tests/e2e's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dev.cluster import Cluster
from dev.oidc import provider
from tests.hub.test_login import Browser, Hub, with_spec
from tests.scale.processes import cost, costs, of_cluster
from tests.site import Json, Site, eventually, operating
from tests.unit.components.scenarios import QUICKSTART, TENANT

PODS = f"{TENANT.namespace}-notebooks"


@contextmanager
def seen(cluster: Cluster) -> Iterator[dict[str, float]]:
    """When each person's pod came, by the clock of this process."""
    found: dict[str, float] = {}
    command = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), "-n", PODS, "get", "pods"]
    with subprocess.Popen([*command, "-w", "-o", "name"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None

        def read(lines: Iterator[str]) -> None:
            for line in lines:
                found.setdefault(line.strip().rpartition("jupyter-")[2], time.monotonic())

        threading.Thread(target=read, args=(watch.stdout,), daemon=True).start()
        try:
            yield found
        finally:
            watch.kill()


def kubeconfig(site: Site, folder: Path) -> Path:
    """With the rights of the tenant's hub and no others."""
    config: Json = json.loads(site.kubectl("config", "view", "--raw", "-o", "json"))
    token = site.kubectl("-n", TENANT.namespace, "create", "token", "hub").strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    path = folder / "hub.json"
    path.write_text(json.dumps(config))
    return path


def everybody(hub: Hub, people: int) -> dict[str, Browser]:
    found = {f"p{number:03d}": Browser(hub) for number in range(people)}
    for name, browser in found.items():
        assert browser.log_in(preferred_username=name, groups=["/ocean"]) == 302
        assert browser.is_in()
    return found


def main(people: int) -> None:
    cluster = Cluster("spawns")
    cluster.up(node=False)
    try:
        with (
            tempfile.TemporaryDirectory() as name,
            provider.running(Path(name)) as issuer,
            operating(cluster, issuer, Path(name)) as site,
        ):
            wish = {"dataLake": {"enabled": False}, "notebooks": {"maxSessions": people + 10}}
            site.make(TENANT.namespace, **wish)
            eventually(lambda: site.get("-n", TENANT.namespace, "serviceaccount", "hub"))
            eventually(lambda: site.get("-n", PODS, "rolebindings", "hub"))
            with with_spec(QUICKSTART | wish, KUBECONFIG=str(kubeconfig(site, Path(name)))) as hub:
                measure(site, hub, people)
    finally:
        cluster.down()


def measure(site: Site, hub: Hub, people: int) -> None:
    browsers = everybody(hub, people)
    assert site.operator.process is not None
    parts = {"hub": hub.pid, "operator": site.operator.process.pid, **of_cluster(site.cluster)}
    before, asked = costs(parts), {}

    def ask(name: str) -> int:
        asked[name] = time.monotonic()
        return browsers[name].post(f"/hub/api/users/{name}/server", {})[0]

    with seen(site.cluster) as pods, ThreadPoolExecutor(people) as pool:
        began = time.monotonic()
        answers = list(pool.map(ask, browsers))
        eventually(lambda: browsers.keys() <= pods.keys())
        whole = time.monotonic() - began
        used = {part: cost(pid).cpu - before[part].cpu for part, pid in parts.items()}
        waits = sorted(pods[name] - asked[name] for name in browsers)
    print(f"{people} people ask at once; answers: { {code: answers.count(code) for code in set(answers)} }")
    print(f"seconds to the pod: p50 {statistics.median(waits):.2f}, p99 {waits[int(0.99 * people)]:.2f}")
    print(f"all pods after {whole:.1f} s; seconds of a processor: " + words(used))


def words(used: dict[str, float]) -> str:
    return ", ".join(f"{part} {seconds:.2f}" for part, seconds in used.items())


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50)
