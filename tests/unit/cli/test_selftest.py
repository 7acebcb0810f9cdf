"""`vre selftest isolation`: the Job that it makes, what it prints, and its exit code."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from tests.unit.components.scenarios import scenario
from vre_operator.cli import selftest
from vre_operator.cli.cluster import ClusterError
from vre_operator.cli.main import main
from vre_operator.cli.selftest import Trial, job, lines, read, served, verdict
from vre_operator.components import isolation
from vre_operator.engine.errors import NotFound
from vre_operator.engine.refs import printable

LOG = """\
reached\tcanary's open port\tisolation-canary.ocean.svc:8090\tconnected
open\tdatabase\tdatabase.ocean.svc:5432\tconnected
stopped\tAPI server\tkubernetes.default.svc:443\tno answer
a notebook reaches what it must not: database (database.ocean.svc:5432)
"""


def cron() -> dict[str, Any]:
    (found,) = [one for one in isolation.render(scenario("quickstart")) if one.id.kind == "batch/v1/CronJob"]
    metadata = {"name": "isolation", "namespace": "ocean-notebooks", "uid": "1"}
    return {"metadata": metadata, **printable(found.body)}


def test_the_job_is_one_of_the_cron_job_whose_end_counts() -> None:
    made = job(cron(), [], "abc")
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("CronJob", "isolation", True)
    assert made["metadata"]["name"] == "isolation-abc"
    assert made["spec"]["template"] == cron()["spec"]["jobTemplate"]["spec"]["template"]
    assert made["spec"]["backoffLimit"] == 0


def test_one_that_knows_of_a_neighbour_counts_for_nobody_and_goes() -> None:
    there = cron()
    made = job(there, [{"what": "Service b/hub", "host": "10.96.0.7", "port": 8081}], "abc")
    assert "ownerReferences" not in made["metadata"]
    assert made["spec"]["ttlSecondsAfterFinished"]
    mine = made["spec"]["template"]["metadata"]["labels"]
    counted = there["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert not counted.items() <= mine.items(), "or the operator takes it for the CronJob's"
    assert mine.items() >= {"component": "singleuser-server", "app.kubernetes.io/name": "isolation"}.items()
    assert "10.96.0.7" in made["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    assert there == cron()


def test_what_a_pod_wrote_is_shown_as_a_table() -> None:
    trial = read("ocean-notebooks", 2, LOG)
    head, reached, opened, stopped, _, words = lines([trial])
    assert head.split() == ["FROM", "RESULT", "ATTEMPT", "ADDRESS", "HOW"]
    assert reached.split()[:2] == ["ocean-notebooks", "reached"]
    assert opened.split() == ["ocean-notebooks", "open", "database", "database.ocean.svc:5432", "connected"]
    assert stopped.split()[1] == "stopped"
    assert words == "ocean-notebooks: a notebook reaches what it must not: database (database.ocean.svc:5432)"
    assert list(lines([read("a", 1, "")]))[-1] == "a: it said nothing"


@pytest.mark.parametrize(
    ("codes", "exit_code"), [([0], 0), ([0, 0], 0), ([0, 2], 1), ([3, 4], 1), ([0, 4], 2), ([137], 2)]
)
def test_the_exit_code(codes: list[int], exit_code: int) -> None:
    assert verdict([Trial("a", code, (), "") for code in codes]) == exit_code


def test_of_a_neighbour_what_listens_is_tried() -> None:
    def named(name: str, **rest: Any) -> dict[str, Any]:
        return {"metadata": {"namespace": "b", "name": name}, **rest}

    def pod(name: str, ready: str, **spec: Any) -> dict[str, Any]:
        ports = [{"containerPort": 8888}, {"containerPort": 53, "protocol": "UDP"}]
        return named(
            name,
            spec={"containers": [{"ports": ports}, {}]} | spec,
            status={"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": ready}]},
        )

    services = [
        named("hub", spec={"clusterIP": "10.96.0.7", "ports": [{"port": 8081}]}),
        named("headless", spec={"clusterIP": "None", "ports": [{"port": 1}]}),
        named("outside", spec={"type": "ExternalName"}),
    ]
    pods = [pod("up", "True"), pod("down", "False"), pod("node", "True", hostNetwork=True)]
    assert list(served(services, pods)) == [
        {"what": "Service b/hub", "host": "10.96.0.7", "port": 8081},
        {"what": "Pod b/up", "host": "10.0.0.9", "port": 8888},
    ]


class Kube:
    """A tenant, its CronJobs, and Jobs whose pods end at once."""

    def __init__(self, code: int = 2, *, suspend: bool = False, present: bool = True) -> None:
        self.code, self.present, self.jobs = code, present, list[dict[str, Any]]()
        self.vre = {"metadata": {"name": "ocean", "namespace": "ocean"}, "spec": {"suspend": suspend}}

    async def __aenter__(self) -> Kube:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        if not self.present or namespace.endswith("-workflows"):
            raise NotFound("none")
        return cron()

    async def list(self, kind: str, namespace: str, *, selector: str = "") -> list[dict[str, Any]]:
        if kind.endswith("VREEnvironment"):
            return [self.vre]
        if kind != "v1/Pod" or not selector:
            return []
        ended = {"state": {"terminated": {"exitCode": self.code}}}
        return [{"metadata": {"name": "pod"}, "status": {"phase": "Failed", "containerStatuses": [ended]}}]

    async def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        self.jobs.append(obj)
        return obj

    async def log(self, namespace: str, pod: str) -> str:
        return LOG


def run(monkeypatch: pytest.MonkeyPatch, kube: Kube) -> Any:
    monkeypatch.setattr("vre_operator.kube.client.Kube.from_kubeconfig", lambda path=None, context=None: kube)
    return CliRunner().invoke(main, ["selftest", "isolation", "-n", "ocean"], catch_exceptions=False)


def test_a_person_sees_progress_the_table_and_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Kube()
    done = run(monkeypatch, kube)
    assert done.exit_code == 1
    assert len(kube.jobs) == 1
    assert "ocean-notebooks: Job isolation-" in done.stderr
    assert done.stdout.splitlines()[0].startswith("FROM")
    assert run(monkeypatch, Kube(0)).exit_code == 0


@pytest.mark.parametrize(
    ("kube", "says"), [(Kube(suspend=True), "is suspended"), (Kube(present=False), "isolation.enabled: false")]
)
def test_what_cannot_be_tried_is_said(monkeypatch: pytest.MonkeyPatch, kube: Kube, says: str) -> None:
    done = run(monkeypatch, kube)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not kube.jobs


async def test_a_pod_that_never_ends_is_told_with_its_state() -> None:
    class Stuck(Kube):
        async def list(self, kind: str, namespace: str, *, selector: str = "") -> list[dict[str, Any]]:
            waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
            pod = {"metadata": {}, "status": {"phase": "Pending", "containerStatuses": [waiting]}}
            return [pod]

    said: list[str] = []
    with pytest.raises(ClusterError, match="its pod is Pending, ImagePullBackOff"):
        await selftest._tried(Stuck(), cron(), [], 1, said.append)  # type: ignore[arg-type]
    assert said[-1] == "ocean-notebooks: its pod is Pending, ImagePullBackOff"
