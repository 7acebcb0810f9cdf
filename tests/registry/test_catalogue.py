"""A catalogue over its life: the operator as a process, a real API server, a real registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from tests import readymaker
from tests.registry.running import Registry
from tests.site import SYSTEM, Json, Site, eventually, operating
from vre_operator.components import ids

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
TENANT = "survey"
PODS = f"{TENANT}-notebooks"
PERIOD = 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One that runs before, named by VRE_BARE_CLUSTER, is used and left."""
    cluster = Cluster(os.environ.get("VRE_BARE_CLUSTER", "catalogue"))
    ours = not cluster.running
    cluster.up(node=False, bare=True)
    try:
        yield cluster
    finally:
        if ours:
            cluster.down()


@pytest.fixture(scope="module")
def site(
    cluster: Cluster, registries: dict[str, Registry], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    authorities = "".join(one.ca for one in registries.values())
    folder = tmp_path_factory.mktemp("operator")
    settings = {"resolveTags": True, "resolveSeconds": PERIOD}
    with (
        provider.running(tmp_path_factory.mktemp("provider")) as issuer,
        operating(cluster, issuer, folder, ca=authorities, site_settings=settings) as site,
    ):
        yield site
        assert [line for line in site.operator.log if "traceback" in line] == []


def offered(site: Site, what: str = "image") -> dict[str, str]:
    vre = site.get("-n", TENANT, "vre", "vre") or {}
    told = vre.get("status", {}).get("catalogue") or ()
    return {one["name"]: one[what] for one in told if what in one}


def on_nodes(site: Site) -> list[str]:
    """The images that are kept there."""
    found = site.get("-n", TENANT, "daemonsets") or {"items": []}
    return [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found["items"]]


def pinned(site: Site) -> dict[str, str]:
    """What the hub reads."""
    found = site.get("-n", TENANT, "configmap", "hub-images") or {}
    return dict(json.loads(found.get("data", {}).get("pinned.json", "{}")))


def becomes(site: Site, **wanted: str) -> None:
    eventually(lambda: offered(site), lambda it: it == wanted)
    eventually(lambda: pinned(site), lambda it: it == wanted)


def jobs(site: Site) -> dict[str, str]:
    """Name by image."""
    found = site.get("-n", PODS, "jobs") or {"items": []}
    return {
        one["spec"]["template"]["spec"]["containers"][0]["image"]: one["metadata"]["name"]
        for one in found["items"]
    }


def hub(site: Site) -> Json:
    found = site.get("-n", TENANT, "deployment", "hub")
    assert found
    return found


def spec(registry: Registry, private: Registry, **more: Any) -> dict[str, Any]:
    entries = [
        {"name": "base", "image": registry.image("lab/base:1")},
        {
            "name": "deep",
            "image": registry.image("lab/deep:1"),
            "lifecycle": {"stage": "Deprecated"},
            "prePull": True,
        },
        {"name": "private", "image": private.image("lab/private:1")},
    ]
    return {"dataLake": {"enabled": False}, "catalogue": {"entries": entries} | more}


def ends(site: Site, job: str, *, well: bool) -> None:
    """As the Job's controller says it."""
    moment = "2026-01-01T00:00:00Z"
    kinds, reason = ("SuccessCriteriaMet", "Complete"), "CompletionsReached"
    if not well:
        kinds, reason = ("FailureTarget", "Failed"), "BackoffLimitExceeded"
    told = [{"type": kind, "status": "True", "reason": reason, "lastTransitionTime": moment} for kind in kinds]
    counts = {"succeeded": 1, "completionTime": moment} if well else {"failed": 2}
    status = {"status": {"conditions": told, "startTime": moment} | counts}
    patch = ["patch", "job", job, "--subresource=status", "--type=merge", "-p", json.dumps(status)]
    site.kubectl("-n", PODS, *patch)


def vre(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as a person calls it."""
    command = [sys.executable, "-c", "from vre_operator.cli.main import main; main()", *arguments]
    env = os.environ | {"KUBECONFIG": str(site.cluster.kubeconfig)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_catalogue_over_its_life(site: Site, registries: dict[str, Registry]) -> None:
    registry, private = registries[""], registries["token"]
    base = {tag: registry.push("lab/base", tag, tag) for tag in ("1", "2", "bad")}
    deep = {tag: registry.push("lab/deep", tag, tag) for tag in ("1", "2")}
    secret = private.push("lab/private", "1", "private")

    def image(of: Registry, name: str, digest: str) -> str:
        return of.image(f"lab/{name}@{digest}")

    first = {"base": image(registry, "base", base["1"]), "deep": image(registry, "deep", deep["1"])}

    # What cannot be read is offered by its tag, and told; the rest by digest.
    with readymaker.running(site.cluster.kubeconfig):
        site.make(TENANT, **spec(registry, private))
        becomes(site, **first, private=private.image("lab/private:1"))
        eventually(lambda: site.condition(TENANT), lambda it: it[1] == "Ready")
        eventually(lambda: offered(site, "nodes"), lambda it: it == {"deep": "1/1"})
        status, reason, message = site.condition(TENANT, "NotebooksReady")
        assert (status, reason) == ("True", "ImageForbidden")
        assert private.image("lab/private:1") in message

        # A lacking Secret is told, and harms nobody.
        named = spec(registry, private, pullSecrets=[{"name": "login"}])
        site.make(TENANT, **named)
        site.settled(TENANT, "SecretNotFound", "NotebooksReady")
        becomes(site, **first, private=private.image("lab/private:1"))
        kind = "--type=kubernetes.io/dockerconfigjson"
        literal = f"--from-literal=.dockerconfigjson={private.config_json()}"
        site.kubectl("-n", TENANT, "create", "secret", "generic", "login", kind, literal)
        becomes(site, **first, private=image(private, "private", secret))
        site.settled(TENANT, "Ready", "NotebooksReady")
    copy = site.get("-n", PODS, "secret", ids.pull_secret("login"))
    assert copy
    assert copy["type"] == "kubernetes.io/dockerconfigjson"
    (state,) = [
        item
        for item in (site.get("-n", SYSTEM, "secrets") or {})["items"]
        if item["metadata"]["name"].startswith("catalogue-")
    ]
    assert private.config_json() not in json.dumps(state)

    # A tag that moves is tried first; who is not good keeps nobody else.
    generation = hub(site)["metadata"]["generation"]
    registry.push("lab/base", "1", "bad")
    registry.push("lab/deep", "1", "2")
    bad, better = image(registry, "base", base["bad"]), image(registry, "deep", deep["2"])
    tried: dict[str, str] = eventually(lambda: jobs(site), lambda it: {bad, better} <= it.keys())
    assert offered(site) | first == offered(site), "neither was tried yet"
    ends(site, tried[bad], well=False)
    # What is good has to be on the nodes, too, where that is wished.
    assert on_nodes(site) == [first["deep"]]
    ends(site, tried[better], well=True)
    eventually(lambda: on_nodes(site), lambda it: it == [better])
    assert offered(site)["deep"] == first["deep"]
    with readymaker.running(site.cluster.kubeconfig):
        becomes(site, base=first["base"], deep=better, private=image(private, "private", secret))
        message = site.settled(TENANT, "ImageUnfit", "NotebooksReady")
        assert "spec.catalogue.entries[0]" in message
        assert first["base"] in message
        assert site.condition(TENANT)[0] == "True", "all that is offered works"

        # An operator that starts anew in the middle of this knows it still.
        site.operator.end(signal.SIGKILL)
        site.operator.start()
        site.settled(TENANT, "ImageUnfit", "NotebooksReady")
        assert offered(site)["base"] == first["base"]

        registry.push("lab/base", "1", "2")
        last = image(registry, "base", base["2"])
        becomes(site, base=last, deep=better, private=image(private, "private", secret))
        site.settled(TENANT)
    assert hub(site)["metadata"]["generation"] == generation, "no restart of the hub for any of it"

    told = vre(site, "catalogue", "-n", TENANT)
    assert told.returncode == 0, told.stderr
    assert last in told.stdout
    assert "Deprecated" in told.stdout
    wrong = vre(site, "catalogue", "-n", "nowhere")
    assert (wrong.returncode, "no VREEnvironment" in wrong.stderr) == (1, True)
    lost = vre(site, "catalogue", "--context", "none")
    assert (lost.returncode, "Traceback" in lost.stderr) == (1, False)

    # Settled: one HEAD for each tag in each period, and nothing else.
    before = {"HEAD": registry.asked("HEAD"), "GET": registry.asked("GET")}
    settled = site.requests(
        lambda: eventually(lambda: registry.asked("HEAD"), lambda it: it >= before["HEAD"] + 4)
    )
    assert registry.asked("GET") == before["GET"]
    assert not [what for what in settled if what.split()[0] not in ("get", "list", "watch")], settled

    # The registry goes away: what is offered stays, and is told.
    with registry.stopped():
        message = site.settled(TENANT, "Unavailable", "NotebooksReady")
        assert registry.host in message
        assert offered(site)["base"] == last
        assert site.condition(TENANT)[0] == "True"

    # Nothing is left.
    site.kubectl("-n", TENANT, "delete", "vre", "vre", "--timeout=60s")
    left = [item["metadata"]["name"] for item in (site.get("-n", SYSTEM, "secrets") or {})["items"]]
    assert not [name for name in left if name.startswith("catalogue-")]


MANY = 200


def test_a_long_list_costs_one_request_for_each_tag(site: Site, registries: dict[str, Registry]) -> None:
    """The longest list that a tenant may have: what a period costs, and that a moved tag is soon tried."""
    registry = registries[""]
    names = [f"e{number:03d}" for number in range(MANY)]
    for name in names:
        registry.push(f"many/{name}", "1", "1")
    entries = [{"name": name, "image": registry.image(f"many/{name}:1")} for name in names]
    with readymaker.running(site.cluster.kubeconfig):
        site.make(TENANT, dataLake={"enabled": False}, catalogue={"entries": entries})
        eventually(lambda: pinned(site), lambda it: sum("@sha256:" in one for one in it.values()) == MANY)
        site.settled(TENANT)
        generation = hub(site)["metadata"]["generation"]

        before, began, gets = registry.heads(), time.monotonic(), registry.asked("GET")
        eventually(registry.heads, lambda it: (it - before).total() >= 3 * MANY)
        periods = (time.monotonic() - began) / PERIOD
        often = registry.heads() - before
        assert set(often) == {f"many/{name}" for name in names}
        assert max(often.values()) <= periods + 1
        assert registry.asked("GET") == gets

        before = registry.heads()
        moved = registry.image(f"many/e123@{registry.push('many/e123', '1', '2')}")
        eventually(lambda: jobs(site), lambda it: moved in it)
        assert (registry.heads() - before)["many/e123"] <= 2, "the first reading after it, one was under way"
        eventually(lambda: pinned(site), lambda it: it["e123"] == moved)
        site.settled(TENANT)
        assert hub(site)["metadata"]["generation"] == generation
    site.kubectl("-n", TENANT, "delete", "vre", "vre", "--timeout=60s")
