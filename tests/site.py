"""The operator as a process before a real API server, and what a person does and sees there.

A fresh operator gets the chart's rights and no others.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dev import reading
from dev.cluster import Cluster
from dev.oidc.provider import Registry
from dev.ports import free_port
from tests.long import LONG

ROOT = Path(__file__).resolve().parents[1]
SYSTEM = "vre-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:vre-operator"
Json = dict[str, Any]
_CRD = "crd/vreenvironments.vre.science"
# The first for the moment in which there are no conditions yet, which kubectl takes for an error.
CRD_STANDS = (
    ("wait", "--for=jsonpath={.status.acceptedNames.kind}=VREEnvironment", _CRD, "--timeout=60s"),
    ("wait", "--for=condition=Established", _CRD, "--timeout=60s"),
)
_GET = argparse.ArgumentParser()
_GET.add_argument("-n", default="")
_GET.add_argument("-l", default="")
_GET.add_argument("kinds")
_GET.add_argument("name", nargs="?")
RELEASED: Json = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "vre-operator", "namespace": SYSTEM},
    "spec": {"holderIdentity": "", "leaseDurationSeconds": 1},
}


@dataclass
class Operator:
    """The process, which can be killed and started again.

    kept: what ends by itself is started again, as a Deployment does: a leader ends when a machine without time
    for anybody lets it miss its renewals.
    """

    cluster: Cluster
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    kept: bool = False
    starts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)
    _ended: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        self.starts += 1
        env = os.environ | {
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": f"operator-{self.starts}",
            "VRE_SITE_FILE": str(self.folder / "site.yaml"),
            "VRE_HEALTH_PORT": str(free_port()),
            "VRE_METRICS_PORT": str(free_port()),
            **self.environment,
        }
        command = [sys.executable, "-m", "vre_operator.runtime.main"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=env, stderr=log)
        if self.kept:
            threading.Thread(target=self._start_again, args=[self.process], daemon=True).start()

    def _start_again(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        time.sleep(1)
        if self.process is process and self._ended is not process:
            self.start()

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self._ended = self.process
        self.process.send_signal(how)
        return self.process.wait(20)

    @property
    def log(self) -> list[Json]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]


@dataclass
class Site:
    cluster: Cluster
    operator: Operator
    registry: Registry

    def kubectl(self, *arguments: str, stdin: Json | None = None, check: bool = True) -> str:
        command = [str(self.cluster.kubectl), "--kubeconfig", str(self.cluster.kubeconfig), *arguments]
        done = subprocess.run(
            command, input=json.dumps(stdin) if stdin else None, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *what: str) -> Json | None:
        """As `kubectl get` takes it: [-n NAMESPACE] KINDS [NAME] [-l SELECTOR]. None where there is nothing."""
        told, reader = _GET.parse_args(what), reading.reader(self.cluster.kubeconfig)
        if told.name:
            return reader.get(told.kinds, told.name, told.n)
        items = reader.list(told.kinds, told.n, told.l)
        return {"items": items} if items else None

    def make(self, name: str, **spec: Any) -> None:
        if self.get("namespace", name) is None:
            self.kubectl("create", "namespace", name)
        base = {
            "hostname": f"{name}.example.org",
            "identity": {"issuer": self.registry.issuer, "provider": "generic-dcr", "allowAll": True},
            "dataLake": {"enabled": True},
        }
        obj = {
            "apiVersion": "vre.science/v1alpha1",
            "kind": "VREEnvironment",
            "metadata": {"name": "vre", "namespace": name},
            "spec": base | spec,
        }
        self.kubectl("apply", "-f", "-", stdin=obj)

    def patch(self, name: str, **spec: Any) -> None:
        self.kubectl("-n", name, "patch", "vre", "vre", "--type=merge", "-p", json.dumps({"spec": spec}))

    def condition(self, name: str, which: str = "Ready") -> tuple[str, str, str]:
        vre = self.get("-n", name, "vre", "vre")
        assert vre is not None
        status = vre.get("status", {})
        if status.get("observedGeneration") != vre["metadata"]["generation"]:
            return ("Unknown", "NotSeen", "")
        found = {item["type"]: item for item in status["conditions"]}.get(which)
        return (found["status"], found["reason"], found["message"]) if found else ("Unknown", "Absent", "")

    def settled(self, name: str, reason: str = "Ready", which: str = "Ready") -> str:
        """Wait for a condition's reason; its message."""
        seen: tuple[str, str, str] = eventually(lambda: self.condition(name, which), lambda it: it[1] == reason)
        return seen[2]

    def writes_of_a_start(self) -> list[str]:
        """What an operator that is started asks for beyond reading, in its first seconds."""

        def started() -> None:
            self.operator.start()
            time.sleep(12)

        asked = self.requests(started)
        return [what for what in asked if what.split()[0] not in ("get", "list", "watch")]

    def requests(self, during: Callable[[], object]) -> Counter[str]:
        """What the operator asks of the API server meanwhile; the lease is not counted."""
        with self.cluster.audit_log.open() as log:
            log.seek(0, os.SEEK_END)
            during()
            events = [json.loads(line) for line in log if line.endswith("\n")]
        found: Counter[str] = Counter()
        for event in events:
            what = event.get("objectRef") or {}
            if event["user"]["username"] == ACCOUNT and what.get("resource") != "leases":
                found[" ".join((event["verb"], what.get("resource", ""), what.get("name", "")))] += 1
        return found


# Only against a hang: `make test-long` runs on a machine that is busy for hours.
GUARD_SECONDS = 300.0 if LONG else 240.0


def eventually(
    look: Callable[[], Any], holds: Callable[[Any], object] = bool, seconds: float = GUARD_SECONDS
) -> Any:
    deadline = time.monotonic() + seconds
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.1)
    return seen


def rendered(cluster: Cluster, values: Json | None = None) -> list[Json]:
    """What an install of the chart would send."""
    chart = ["vre-operator", str(ROOT / "helm/vre-operator"), "--namespace", SYSTEM, "--kube-version", "1.35.4"]
    command = [str(cluster.helm), "template", *chart, "--values", "-"]
    done = subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, check=True)
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def as_the_chart_has_it(site: Site, values: Json | None = None) -> Json:
    """A kubeconfig of the chart's service account, with the chart's rights and no others, as far as their
    namespaces are there; and the chart's environment for the operator's next start."""
    there = {one["metadata"]["name"] for one in (site.get("namespaces") or {})["items"]}
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    chart = rendered(site.cluster, values)
    rights = [
        item for item in chart if item["kind"] in kinds and item["metadata"].get("namespace", SYSTEM) in there
    ]
    if not any(item["kind"] == "ClusterRoleBinding" for item in rights):
        site.kubectl("delete", "clusterrolebinding", "vre-operator", "--ignore-not-found")
    site.kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": rights})
    pod = next(item for item in chart if item["kind"] == "Deployment")["spec"]["template"]["spec"]
    told = {one["name"]: one["value"] for one in pod["containers"][0]["env"] if "value" in one}
    site.operator.environment = {**site.operator.environment, **told} | {
        "VRE_SITE_FILE": str(site.operator.folder / "site.yaml")
    }
    config: Json = yaml.safe_load(site.cluster.kubeconfig.read_text())
    token = site.kubectl("-n", SYSTEM, "create", "token", "vre-operator", "--duration=24h").strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    return config


@contextmanager
def operating(
    cluster: Cluster,
    registry: Registry,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    ca: str = "",
    site_settings: Json | None = None,
    kept: bool = False,
    values: Json | None = None,
    before: Callable[[Site], None] = lambda site: None,
) -> Iterator[Site]:
    """An operator that runs until the block ends; its files are written into `folder`. ca: PEM, whom to
    trust besides the provider's authority. site_settings: beside those that every test has. kept: see
    Operator. values: of the chart, for its rights. before: what the cluster is to have when the operator
    starts."""
    settings: Json = {
        "caBundle": registry.ca + ca,
        "issuerCidrs": ["127.0.0.0/8", "::1/128"],
        "resyncSeconds": 10,
    }
    # Nothing of a test goes out to the internet.
    settings |= {"resolveTags": False} | (site_settings or {})
    (folder / "site.yaml").write_text(yaml.safe_dump(settings))
    site = Site(cluster, Operator(cluster, folder, environment or {}, kept), registry)
    site.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    for wait in CRD_STANDS:
        site.kubectl(*wait)
    if site.get("namespace", SYSTEM) is None:
        site.kubectl("create", "namespace", SYSTEM)
    # As one leaves it that is told to end: who finds none, or that of one that was killed, waits.
    site.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=RELEASED)
    (folder / "kubeconfig").write_text(json.dumps(as_the_chart_has_it(site, values)))
    before(site)
    site.operator.start()
    try:
        yield site
    finally:
        site.operator.end(signal.SIGKILL)
