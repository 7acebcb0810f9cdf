"""Those who make the tenants' objects, each as a user of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import yaml

from dev.cluster import binaries
from tests.scale import processes, rig
from tests.scale.rig import Rig
from tests.scale.tenants import Json, Rendered
from tests.site import ACCOUNT, Operator


class Contender(ABC):
    """One of them, in one turn. largest: for more tenants at once it is not asked."""

    name: str
    largest = 1_000_000
    makes_namespace = False
    """Whether it must make the tenant's own namespace, too (helm takes over nothing that stands)."""

    def __init__(self, world: Rig, rendered: Path) -> None:
        """rendered: the folder with the tenants' files (tenants.write_lines)."""
        self.rig = world
        self.rendered = rendered

    @property
    def user(self) -> str:
        """In the audit log."""
        return rig.user(self.name)

    def start(self) -> None:  # noqa: B027 some have nothing to start
        """Whatever runs before anybody wishes for anything."""

    def load(self, tenants: Sequence[Rendered]) -> None:  # noqa: B027 nor to load
        """What is done outside of the clock."""

    @abstractmethod
    def create(self, tenants: Sequence[Rendered]) -> None:
        """Begin, and end when this side has nothing more to do."""

    @abstractmethod
    def spent(self) -> float:
        """CPU seconds so far."""

    def rss(self) -> int:
        """Bytes now; 0 when nothing runs."""
        return 0

    def end(self) -> None:  # noqa: B027 nor to end
        """End what was started."""


class _Running(Contender):
    """With a process that lives through the turn."""

    process: subprocess.Popen[str]

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        env = os.environ | {"KUBECONFIG": str(self.rig.kubeconfig(self.name))}
        with (self.rig.folder / f"{self.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def spent(self) -> float:
        return processes.cost(self.process.pid).cpu

    def rss(self) -> int:
        return processes.cost(self.process.pid).rss

    def end(self) -> None:
        if hasattr(self, "process"):
            self.process.kill()
            self.process.communicate()


class Yardstick(_Running):
    """Bare parallel server-side apply."""

    connections = 16
    name = "yardstick"

    def command(self) -> list[str]:
        where = [str(self.rig.kubeconfig(self.name)), str(self.connections), str(self.rendered)]
        return [sys.executable, "-m", "tests.scale.yardstick", *where]

    def start(self) -> None:
        super().start()
        self._answered("ready")

    def load(self, tenants: Sequence[Rendered]) -> None:
        self._ask(" ".join(["load", *(tenant.namespace for tenant in tenants)]))

    def create(self, tenants: Sequence[Rendered]) -> None:
        self._ask("go")

    def delete(self) -> None:
        """What was loaded last."""
        self._ask("delete")

    def _ask(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        self._answered(line.split(maxsplit=1)[0])

    def _answered(self, word: str) -> None:
        assert self.process.stdout
        if self.process.stdout.readline().strip() != word:
            log = (self.rig.folder / f"{self.name}.log").read_text()
            raise RuntimeError(f"{self.name} ended: {log[-1000:]}")


class OneConnection(Yardstick):
    connections = 1
    name = "one-connection"


class Go(_Running):
    """The controller-runtime operator."""

    name = "go"
    options: tuple[str, ...] = ("--workers=16", "--qps=-1")

    def command(self) -> list[str]:
        return [str(binaries.contender()), f"--rendered={self.rendered}", *self.options]

    def create(self, tenants: Sequence[Rendered]) -> None:
        self.rig.make(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "wish", "namespace": it.namespace, "labels": {"bench": "tenant"}},
            }
            for it in tenants
        )


class GoOneWorker(Go):
    name = "go-one-worker"
    options = ("--workers=1", "--qps=-1")


class GoThrottled(Go):
    """With the client's limit of old."""

    name = "go-throttled"
    options = ("--workers=16", "--qps=20")
    largest = 10


class Ours(Contender):
    """vre-operator, with the chart's rights and no others."""

    name = "vre-operator"
    operator: Operator | None = None

    @property
    def user(self) -> str:
        return ACCOUNT

    def start(self) -> None:
        # The name of a pod stays when its container starts again, and with it the Lease.
        self.operator = rig.operator(self.rig, {"POD_NAME": "operator-0"})
        self.operator.start()

    def create(self, tenants: Sequence[Rendered]) -> None:
        self.rig.make(it.wish for it in tenants)

    @property
    def pid(self) -> int:
        assert self.operator
        assert self.operator.process
        return self.operator.process.pid

    def spent(self) -> float:
        return processes.cost(self.pid).cpu

    def rss(self) -> int:
        return processes.cost(self.pid).rss

    def end(self) -> None:
        if self.operator and self.operator.process and self.operator.process.poll() is None:
            self.operator.end(signal.SIGKILL)


class _Command(Contender):
    """A program that is run once for each tenant, as people run it: its start is on the clock."""

    largest = 1
    _spent = 0.0

    def run(self, command: Sequence[str]) -> None:
        log = self.rig.folder / f"{self.name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self._spent += usage.ru_utime + usage.ru_stime
        if process.returncode:
            raise RuntimeError(f"{self.name}: {log.read_text()[-1000:]}")

    def spent(self) -> float:
        return self._spent


class Kubectl(_Command):
    """kubectl apply --server-side, of one file for each tenant."""

    name = "kubectl"

    def load(self, tenants: Sequence[Rendered]) -> None:
        for tenant in tenants:
            self._file(tenant).write_text(as_yaml(tenant))

    def create(self, tenants: Sequence[Rendered]) -> None:
        kubeconfig = f"--kubeconfig={self.rig.kubeconfig(self.name)}"
        options = ["--server-side", "--force-conflicts", "--field-manager=vre-operator"]
        for tenant in tenants:
            program = str(self.rig.cluster.kubectl)
            self.run([program, kubeconfig, "apply", *options, "-f", str(self._file(tenant))])

    def _file(self, tenant: Rendered) -> Path:
        return self.rig.folder / f"{tenant.namespace}.yaml"


class Helm(_Command):
    """helm install of a chart with the same objects; its release is kept beside the bench's accounts."""

    name = "helm"
    makes_namespace = True

    def load(self, tenants: Sequence[Rendered]) -> None:
        for tenant in tenants:
            chart = self._chart(tenant)
            shutil.rmtree(chart, ignore_errors=True)
            (chart / "templates").mkdir(parents=True)
            about: Json = {"apiVersion": "v2", "name": "tenant", "version": "0.1.0"}
            (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
            (chart / "objects.yaml").write_text(as_yaml(tenant))
            # Not the objects themselves: what looks like a template in our files is none.
            (chart / "templates" / "all.yaml").write_text('{{ .Files.Get "objects.yaml" }}\n')

    def create(self, tenants: Sequence[Rendered]) -> None:
        where = [f"--kubeconfig={self.rig.kubeconfig(self.name)}", f"--namespace={rig.BENCH}"]
        for tenant in tenants:
            chart = str(self._chart(tenant))
            self.run([str(self.rig.cluster.helm), *where, "install", tenant.namespace, chart])

    def _chart(self, tenant: Rendered) -> Path:
        return self.rig.folder / "charts" / tenant.namespace


ALL: tuple[type[Contender], ...] = (
    Yardstick,
    OneConnection,
    Ours,
    Go,
    GoOneWorker,
    GoThrottled,
    Kubectl,
    Helm,
)


def as_yaml(tenant: Rendered) -> str:
    """All objects in one file."""
    return yaml.safe_dump_all((step.object for step in tenant.steps), sort_keys=False)
