"""What the client relies on, asked of a real API server: the guards of an apply above all."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster
from tests.cluster.world import eventually
from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Forbidden, Invalid, NotFound, NotReady
from vre_operator.kube import client as client_module
from vre_operator.kube.client import ABSENT, Kube
from vre_operator.kube.errors import AlreadyExists, Gone

CRD = next(iter((Path(__file__).parents[2] / "crds").glob("*.yaml")))
CONFIG = "v1/ConfigMap"
KINDS = ("v1/ConfigMap", "apps/v1/Deployment", "v1/Namespace", "networking.k8s.io/v1/NetworkPolicy")


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    async with Kube.from_kubeconfig(str(cluster.kubeconfig)) as kube:
        yield kube


@pytest.fixture
async def namespace(kube: Kube) -> str:
    name = f"c-{uuid.uuid4().hex[:8]}"
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def some(kind: str, namespace: str, name: str, **meta: Any) -> dict[str, Any]:
    api_version, _, short = kind.rpartition("/")
    metadata = {"name": name, **meta}
    if short != "Namespace":
        metadata["namespace"] = namespace
    else:
        metadata["name"] = f"{namespace}-{name}"
    labels = {"matchLabels": {"a": "b"}}
    container = {"name": "c", "image": "localhost/none"}
    specs: dict[str, dict[str, Any]] = {
        "Deployment": {
            "replicas": 0,
            "selector": labels,
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}},
        },
        "NetworkPolicy": {"podSelector": labels},
    }
    spec = {"spec": specs[short]} if short in specs else {}
    return {"apiVersion": api_version, "kind": short, "metadata": metadata, **spec}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_apply_can_be_create_only(kube: Kube, namespace: str, kind: str) -> None:
    made = await kube.apply(some(kind, namespace, "x", resourceVersion=ABSENT, labels={"ours": "1"}))
    assert [(m["manager"], m["operation"]) for m in made["metadata"]["managedFields"]] == [
        ("vre-operator", "Apply")
    ]
    for labels in ({"ours": "1"}, {"ours": "2"}):
        with pytest.raises(Conflict):
            await kube.apply(some(kind, namespace, "x", resourceVersion=ABSENT, labels=labels))
    live = await kube.get(kind, namespace, made["metadata"]["name"])
    assert live["metadata"]["labels"]["ours"] == "1"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_apply_can_be_for_one_uid_only(kube: Kube, namespace: str, kind: str) -> None:
    made = await kube.apply(some(kind, namespace, "x"))
    uid = made["metadata"]["uid"]
    assert (await kube.apply(some(kind, namespace, "x", uid=uid, labels={"a": "b"})))["metadata"]["uid"] == uid
    other = str(uuid.uuid4())
    with pytest.raises(Conflict):
        await kube.apply(some(kind, namespace, "x", uid=other, labels={"a": "c"}))
    with pytest.raises(Conflict):
        await kube.apply(some(kind, namespace, "absent", uid=other))
    with pytest.raises(NotFound):
        await kube.get(kind, namespace, some(kind, namespace, "absent")["metadata"]["name"])


async def test_of_many_creators_one_wins(kube: Kube, namespace: str) -> None:
    applies = [
        kube.apply({**some(CONFIG, namespace, "x", resourceVersion=ABSENT), "data": {"a": str(n)}})
        for n in range(12)
    ]
    answers = await asyncio.gather(*applies, return_exceptions=True)
    assert sum(isinstance(answer, dict) for answer in answers) == 1
    assert all(isinstance(answer, (dict, Conflict)) for answer in answers)


async def test_an_apply_of_the_same_leaves_the_version(kube: Kube, namespace: str) -> None:
    one = await kube.apply({**some(CONFIG, namespace, "x"), "data": {"a": "b"}})
    other = await kube.apply({**some(CONFIG, namespace, "x"), "data": {"a": "b"}})
    assert one["metadata"]["resourceVersion"] == other["metadata"]["resourceVersion"]


async def test_an_apply_drops_what_it_no_longer_states(kube: Kube, namespace: str) -> None:
    await kube.apply({**some(CONFIG, namespace, "x"), "data": {"a": "b", "c": "d"}})
    await kube.patch_json(CONFIG, namespace, "x", [{"op": "add", "path": "/data/theirs", "value": "1"}])
    applied = await kube.apply({**some(CONFIG, namespace, "x"), "data": {"a": "b"}})
    assert applied["data"] == {"a": "b", "theirs": "1"}


async def test_replace_and_patch_compare_and_swap(kube: Kube, namespace: str) -> None:
    made = await kube.create(some(CONFIG, namespace, "x"))
    with pytest.raises(AlreadyExists):
        await kube.create(some(CONFIG, namespace, "x"))
    await kube.replace({**made, "data": {"a": "1"}})
    with pytest.raises(Conflict):
        await kube.replace({**made, "data": {"a": "2"}})
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}
    change = {"op": "add", "path": "/metadata/finalizers", "value": ["vre.science/x"]}
    with pytest.raises(Invalid):
        await kube.patch_json(CONFIG, namespace, "x", [test, change])
    assert "finalizers" not in (await kube.get(CONFIG, namespace, "x"))["metadata"]


async def test_delete_takes_only_the_object_that_was_meant(kube: Kube, namespace: str) -> None:
    made = await kube.create(some(CONFIG, namespace, "x"))
    with pytest.raises(Conflict):
        await kube.delete(CONFIG, namespace, "x", uid=str(uuid.uuid4()))
    with pytest.raises(Conflict):
        await kube.delete(CONFIG, namespace, "x", resource_version="1")
    assert await kube.delete(CONFIG, namespace, "x", uid=made["metadata"]["uid"]) is True
    with pytest.raises(NotFound):
        await kube.delete(CONFIG, namespace, "x")


async def test_refusals_name_the_field_and_no_value(kube: Kube, namespace: str) -> None:
    unknown = some("apps/v1/Deployment", namespace, "x")
    unknown["spec"]["replica"] = 3
    with pytest.raises(Invalid, match=r"spec\.replica"):
        await kube.apply(unknown)
    wrong = some("apps/v1/Deployment", namespace, "x")
    wrong["spec"]["template"]["spec"]["containers"][0]["name"] = "Hidden Value"
    with pytest.raises(Invalid, match=r"spec\.template\.spec\.containers\[0\]\.name") as refused:
        await kube.apply(wrong)
    assert "Hidden" not in str(refused.value)
    secret = {**some("v1/Secret", namespace, "s"), "data": {"password!": "aGlkZGVu", "b": "not base64 hidden"}}
    with pytest.raises(Invalid) as refused:
        await kube.apply(secret)
    assert "hidden" not in str(refused.value)
    assert "aGlkZGVu" not in str(refused.value)
    with pytest.raises(NotFound, match="namespace nowhere does not exist"):
        await kube.apply(some(CONFIG, "nowhere", "x"))


async def test_an_immutable_field_has_its_own_reason(kube: Kube, namespace: str) -> None:
    await kube.apply(some("apps/v1/Deployment", namespace, "x"))
    changed = some("apps/v1/Deployment", namespace, "x")
    changed["spec"]["selector"] = {"matchLabels": {"c": "d"}}
    changed["spec"]["template"]["metadata"]["labels"] = {"c": "d"}
    with pytest.raises(Invalid, match=r"spec\.selector") as refused:
        await kube.apply(changed)
    assert refused.value.reason == Reason.IMMUTABLE_FIELD


async def test_quota_termination_and_rights(cluster: Cluster, kube: Kube, namespace: str) -> None:
    quota = {**some("v1/ResourceQuota", namespace, "q"), "spec": {"hard": {"secrets": "0"}}}
    await kube.apply(quota)
    await eventually(
        lambda: kube.get("v1/ResourceQuota", namespace, "q"), lambda live: "used" in live.get("status", {})
    )
    with pytest.raises(Forbidden, match="exceeded quota") as refused:
        await kube.apply({**some("v1/Secret", namespace, "s"), "stringData": {"a": "hidden"}})
    assert refused.value.reason == Reason.QUOTA_EXCEEDED
    assert "describe resourcequota" in refused.value.text
    held = some(CONFIG, namespace, "held", finalizers=["vre.science/test"])
    await kube.apply(held)
    assert await kube.delete("v1/Namespace", "", namespace) is False
    with pytest.raises(NotReady, match="being deleted"):
        await kube.apply(some(CONFIG, namespace, "late"))
    await kube.patch_json(CONFIG, namespace, "held", [{"op": "remove", "path": "/metadata/finalizers"}])


async def test_lists_come_in_pages(kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGE", 2)
    for number in range(5):
        await kube.apply(some(CONFIG, namespace, f"n{number}", labels={"page": "1"}))
    pages = [len(page.items) async for page in kube.pages(CONFIG, namespace, selector="page=1")]
    assert pages == [2, 2, 1]
    found = await kube.list(CONFIG, namespace, selector="page=1")
    assert {(item["kind"], item["apiVersion"]) for item in found} == {("ConfigMap", "v1")}


async def test_a_watch_tells_changes_and_an_old_version_is_gone(kube: Kube, namespace: str) -> None:
    made = await kube.apply(some(CONFIG, namespace, "x", labels={"w": "1"}))
    version = made["metadata"]["resourceVersion"]
    await kube.apply(some(CONFIG, namespace, "x", labels={"w": "1", "more": "1"}))
    await kube.patch_json(CONFIG, namespace, "x", [{"op": "remove", "path": "/metadata/labels/w"}])
    seen = []
    async for event in kube.watch(CONFIG, version, namespace, selector="w=1"):
        seen.append(event.type)
        if len(seen) == 2:
            break
    assert seen == ["MODIFIED", "DELETED"]


async def test_a_version_that_is_too_old_is_gone(kube: Kube) -> None:
    # Of a kind that is younger than the API server no events are known from before.
    definition = yaml.safe_load(CRD.read_text())
    await kube.apply(definition)
    kind = f"{names.API_VERSION}/{names.KIND}"

    async def served() -> bool:
        try:
            return isinstance(await kube.list(kind), list)
        except NotFound:
            return False

    await eventually(served)
    watch = kube.watch(kind, "1")
    with pytest.raises(Gone):
        await anext(watch)


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\u2028", "\ufffe", "\x00", "\U0001f52d"])
async def test_an_apply_writes_every_character_as_it_is(kube: Kube, character: str) -> None:
    """The API server reads an apply as YAML, which refuses some of these and makes others to line breaks."""
    name = f"character-{ord(character):x}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": name}}
    written = await kube.apply({**body, "data": {"x": f"a{character}b"}})
    assert written["data"]["x"] == f"a{character}b"
