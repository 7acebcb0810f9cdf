"""The operator's own health, and what it says of itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from dev.ports import free_port
from vre_operator.api.site import Site
from vre_operator.kube.access import Access
from vre_operator.kube.client import Kube
from vre_operator.runtime.main import cluster_id
from vre_operator.runtime.operator import Operator
from vre_operator.runtime.queue import BURST, TURN
from vre_operator.runtime.reconcile import Reconciler
from vre_operator.runtime.settings import Settings, SettingsError
from vre_operator.targets.kubernetes import KubernetesTarget

KEY = ("atlas", "vre")


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    """One that leads, before an API server that is away."""
    settings = Settings("vre-system", "me", Site(), health_port=free_port(), metrics_port=free_port())
    async with Kube(Access("http://127.0.0.1:1")) as kube:
        operator = Operator(settings, kube, kube, "cluster")
        operator.prepare(b"k" * 32)
        servers = [await operator.serve_probes(), await operator.serve_metrics()]
        yield operator
        for server in servers:
            await server.cleanup()


async def health(operator: Operator) -> tuple[int, str]:
    url = f"http://127.0.0.1:{operator.settings.health_port}/healthz"
    async with ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_it_is_well(operator: Operator) -> None:
    assert await health(operator) == (200, "ok")


async def test_a_watch_that_neither_hears_nor_tries_is_told_by_kind(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(operator.wishes, "_clock", lambda: now + 189)
    assert (await health(operator))[0] == 200
    monkeypatch.setattr(operator.wishes, "_clock", lambda: now + 191)
    status, text = await health(operator)
    assert status == 503
    assert text.startswith("no word and no attempt to hear one: vre.science/v1alpha1/VREEnvironment for 19")


async def test_a_pass_that_does_not_end_is_told(operator: Operator) -> None:
    operator.running[KEY] = time.monotonic() - 299
    assert (await health(operator))[0] == 200
    operator.running[KEY] = time.monotonic() - 301
    assert await health(operator) == (503, "a pass has been running for 301 s")


async def test_a_pass_that_takes_much_cpu_is_paid_for(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is woken without end waits; another one does not."""

    async def dear(_: Reconciler, key: tuple[str, str]) -> None:
        end = time.thread_time() + (BURST + 20) * TURN
        while key == KEY and time.thread_time() < end:
            pass

    async def at_once(_: object) -> None:
        return

    monkeypatch.setattr(Reconciler, "reconcile", dear)
    monkeypatch.setattr(KubernetesTarget, "synced", at_once)
    for one in (operator.wishes, operator.sites):
        one.synced.set()
    queue, other = operator._queue, ("ego", "vre")
    worker = asyncio.create_task(operator._work(operator.prepare(b"k" * 32)))
    for key, due in ((KEY, 0), (other, 1)):
        queue.add(key)
        # The pass never waits: it is over before the loop comes to its timers.
        await asyncio.sleep(0.01)
        assert queue.idle
        queue.add(key)
        assert queue.depth == due
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker


async def test_metrics_tell_tenants_by_condition_and_name_none(operator: Operator) -> None:
    for number in range(3):
        ready = {"type": "Ready", "status": "True" if number else "False", "reason": "x", "message": "secret"}
        metadata = {"namespace": f"tenant-{number}", "name": "vre", "uid": str(number), "resourceVersion": "1"}
        credential = {"name": "Proxy x509", "expires": f"2026-12-0{number + 1}T00:00:00Z"}
        status = {"conditions": [ready], "credentials": [credential]}
        operator.tenants.put({"metadata": metadata, "spec": {}, "status": status})
    url = f"http://127.0.0.1:{operator.settings.metrics_port}/metrics"
    async with ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["vre_tenants",] == 3
    assert samples["vre_tenant_conditions", "True", "Ready"] == 2
    assert samples["vre_tenant_conditions", "False", "Ready"] == 1
    first = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert samples["vre_credentials_expire_timestamp_seconds", "Proxy x509"] == first
    assert samples["vre_queue_depth",] == 0
    assert "tenant-" not in text


@pytest.mark.parametrize("text", ["soon", "0", "-1"])
def test_a_setting_that_makes_no_sense_stops_the_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VRE_WATCH_SILENCE_SECONDS", text)
    with pytest.raises(SettingsError, match="VRE_WATCH_SILENCE_SECONDS: "):
        Settings.from_environment()


async def test_without_cluster_rights_nothing_is_followed_outside_of_the_list() -> None:
    settings = Settings("vre-system", "me", Site(), watched=("atlas",))
    async with Kube(Access("http://127.0.0.1:1")) as kube:
        operator = Operator(settings, kube, kube, "cluster")
        operator.prepare(b"k" * 32)
        followed = {one.kind: set(one._parts) for one in operator._reflectors()}
    spaces = {"atlas", "atlas-notebooks", "atlas-workflows"}
    assert followed.pop("vre.science/v1alpha1/VREEnvironment") == {"atlas"}
    assert followed.pop("v1/Secret") == spaces | {"vre-system"}
    assert len(followed) > 15
    assert {frozenset(where) for where in followed.values()} == {frozenset(spaces)}


async def test_what_kopf_hears_beside_the_operator_is_nobodys_wish() -> None:
    """It listens there for want of another place."""
    settings = Settings("vre-system", "me", Site(), watched=("atlas",))
    for namespace, served in (("vre-system", 0), ("atlas", 1)):
        async with Kube(Access("http://127.0.0.1:1")) as kube:
            operator = Operator(settings, kube, kube, "cluster")
            metadata = {"namespace": namespace, "name": "vre", "uid": "u", "resourceVersion": "1"}
            operator._on_event({"metadata": metadata, "spec": {}}, False)
            assert len(operator.tenants) == served


def test_the_sites_word_comes_from_its_file_where_no_vresite_can_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("vresite: {bounds: {tenants: 3}}")
    monkeypatch.setenv("VRE_SITE_FILE", str(file))
    with pytest.raises(SettingsError, match=r"VRE_SITE_FILE: vresite: .* apply a VRESite"):
        Settings.from_environment()
    monkeypatch.setenv("VRE_WATCH_NAMESPACES", "atlas, lhcb,atlas")
    settings = Settings.from_environment()
    assert settings.scope.wishes == ("atlas", "lhcb")
    kube = Kube(Access("http://127.0.0.1:1"))
    bounds = Operator(settings, kube, kube, "cluster").rules.bounds
    assert bounds is not None
    assert bounds.tenants == 3


@pytest.mark.parametrize(
    ("more", "asked"), [({}, "kube-system"), ({"watched": ("atlas",)}, "vre"), ({"cluster_id": "set"}, "")]
)
async def test_what_tells_the_cluster_from_others(more: dict[str, Any], asked: str) -> None:
    class Cluster:
        async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
            assert (kind, namespace, name) == ("v1/Namespace", "", asked)
            return {"metadata": {"uid": "read"}}

    found = await cluster_id(Settings("vre", "me", Site(), **more), Cluster())  # type: ignore[arg-type]
    assert found == ("read" if asked else "set")
