"""One turn's world: a fresh bare cluster with a user for everybody, the ready-maker and the witness."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from dev.cluster import Cluster
from dev.oidc.provider import Registry
from tests import readymaker
from tests.scale import processes, tenants, witness
from tests.scale.audit import Audit
from tests.scale.issuer import Issuer
from tests.scale.tenants import Json
from tests.scale.witness import Witness
from tests.site import CRD_STANDS, ROOT, SYSTEM, Operator, Site, as_the_chart_has_it
from vre_operator.kube.client import Kube

T = TypeVar("T")

BENCH = "vre-bench"
WATCHER = "witness"
_AT_ONCE = 16


@dataclass
class Rig:
    """cluster, witness, audit and so on of a turn; `folder` holds its files."""

    cluster: Cluster
    folder: Path
    issuer: Issuer
    witness: Witness
    audit: Audit
    parts: dict[str, int]
    kube: Kube
    loop: asyncio.AbstractEventLoop

    def kubectl(self, *arguments: str, stdin: Json | None = None) -> str:
        """As the cluster's administrator."""
        return _kubectl(self.cluster, *arguments, stdin=stdin)

    def kubeconfig(self, user: str) -> Path:
        """Of a service account in the namespace of the bench, made with every right when it is new."""
        path = self.folder / f"{user}.kubeconfig"
        if not path.exists():
            write_kubeconfig(self.cluster, user, path)
        return path

    def api(self, work: Callable[[Kube], Coroutine[Any, Any, T]]) -> T:
        """Run `work` with the administrator's client, which is open already and whose group is never queued."""
        return self.loop.run_until_complete(work(self.kube))

    def make(self, objects: Iterable[Json]) -> None:
        """Create them as a person would, many at once, in the order given."""

        async def work(kube: Kube) -> None:
            queue = iter(list(objects))

            async def worker() -> None:
                for obj in queue:
                    await kube.create(obj)

            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(worker())

        self.api(work)

    def welcome(self, namespaces: Iterable[str]) -> None:
        """What stands before a tenant's wish: its namespace, and the Secret with its client."""
        namespaces = list(namespaces)
        self.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces)
        self.make(map(tenants.credentials, namespaces))

    def waited(self) -> tuple[float, float]:
        """Seconds that requests waited in queues of the API server so far, and requests that it rejected."""
        text = self.kubectl("get", "--raw", "/metrics")
        return (
            _sum(text, "apiserver_flowcontrol_request_wait_duration_seconds_sum"),
            _sum(text, "apiserver_flowcontrol_rejected_requests_total"),
        )


def site_settings(issuer: Issuer, *, resync: float = 600) -> Json:
    """The site's file of the bench."""
    return {
        "caBundle": issuer.ca,
        "issuerCidrs": ["127.0.0.0/8", "::1/128"],
        "resyncSeconds": resync,
        "resolveTags": False,
    }


@contextmanager
def world(name: str, folder: Path, issuer: Issuer, *, resync: float = 600) -> Iterator[Rig]:
    """A new cluster `name`, ended with the block."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cluster = Cluster(name)
    cluster.down()
    (folder / "site.yaml").write_text(yaml.safe_dump(site_settings(issuer, resync=resync)))
    try:
        cluster.up(node=False, bare=True)
        _kubectl(cluster, "apply", "--server-side", "-f", str(ROOT / "crds"))
        for wait in CRD_STANDS:
            _kubectl(cluster, *wait)
        for namespace in (SYSTEM, BENCH):
            _kubectl(cluster, "create", "namespace", namespace)
        _kubectl(cluster, "create", "clusterrolebinding", BENCH, *_EVERYTHING)
        watcher = folder / f"{WATCHER}.kubeconfig"
        write_kubeconfig(cluster, WATCHER, watcher)
        with readymaker.running(cluster.kubeconfig), witness.watching(watcher, folder / "sights") as seen:
            audit, parts = Audit(cluster.audit_log), processes.of_cluster(cluster)
            with asyncio.Runner() as runner:
                kube = Kube.from_kubeconfig(str(cluster.kubeconfig))
                try:
                    yield Rig(cluster, folder, issuer, seen, audit, parts, kube, runner.get_loop())
                finally:
                    runner.run(kube.close())
    finally:
        cluster.down()


_EVERYTHING = ("--clusterrole=cluster-admin", f"--group=system:serviceaccounts:{BENCH}")


def write_kubeconfig(cluster: Cluster, account: str, path: Path) -> None:
    """Make the account and a kubeconfig with its token."""
    _kubectl(cluster, "-n", BENCH, "create", "serviceaccount", account)
    token = _kubectl(cluster, "-n", BENCH, "create", "token", account, "--duration=6h").strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    path.write_text(json.dumps(config))


def user(account: str) -> str:
    """The name of a service account of the bench in the audit log."""
    return f"system:serviceaccount:{BENCH}:{account}"


def operator(rig: Rig, environment: Mapping[str, str] | None = None) -> Operator:
    """Our operator with the chart's rights, not yet started."""
    made = Operator(rig.cluster, rig.folder, environment or {})
    config = rig.folder / "kubeconfig"
    if not config.exists():
        site = Site(rig.cluster, made, Registry(rig.issuer.url, rig.issuer.ca))
        config.write_text(json.dumps(as_the_chart_has_it(site)))
    return made


def _kubectl(cluster: Cluster, *arguments: str, stdin: Json | None = None) -> str:
    command = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), *arguments]
    text = json.dumps(stdin) if stdin else None
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _sum(metrics: str, name: str) -> float:
    """Over all labels."""
    return sum(float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(f"{name}{{"))
