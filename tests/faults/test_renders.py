"""R5, offline: whatever the API admits is rendered into valid objects inside the tenant, or refused with words.

Hostile text is tried in every string: it is refused, or it ends as a value in a JSON document and nowhere else.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from tests.faults.wishes import HOSTILE, MARK, Json, crossed, leaves, pattern_of, put
from tests.faults.wishes import wishes as drawn
from tests.long import LONG
from tests.unit.components.scenarios import FULL
from tests.unit.components.test_every_tenant import KINDS, READ_ONLY_KINDS
from vre_operator.api import names
from vre_operator.api.site import Site
from vre_operator.api.validate import SpecError, load
from vre_operator.components import registry
from vre_operator.components.context import Environment
from vre_operator.engine.plan import NameTakenError, Plan, make_plan
from vre_operator.engine.refs import Ref, digest, encode, resolve
from vre_operator.engine.resources import KUBERNETES, Policy, Resource, Tenant
from vre_operator.engine.target import Desired
from vre_operator.targets.kubernetes.manifest import SECRET, VIRTUAL, check_bounds, manifest

DRAWN, CROSSED, PARTS = (100, 900, 100) if LONG else (100, 100, 1)
"""Wishes in each part: hypothesis gets slower the more it has drawn in one go, and most of the time is its."""

TENANT = Tenant("ocean", "any", "uid", "cluster")
CANARY = "canary0secret"
JSON_DOCUMENTS = {
    ("hub-config", "settings.json"),
    ("hub-images", "images.json"),
    ("hub-images", "shares.json"),
    ("hub-images", "s3.json"),
    ("hub-images", "message.json"),
    ("page", "page.json"),
    ("reana-config", "ui-config.yaml"),
    ("reana-config", "login.json"),
}
"""Where a tenant's free text may be: ConfigMap and key."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LIMIT = 1 << 20

pytestmark = pytest.mark.timeout(6 * 3600 if LONG else 900)


def plan_of(spec: Json) -> Plan:
    """Raises SpecError, NameTakenError and nothing else."""
    metadata = {"name": TENANT.name, "namespace": TENANT.namespace}
    document = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
    return make_plan(registry.render(Environment(TENANT, load(document), Site())))


def objects(plan: Plan) -> Iterator[tuple[Resource, Json]]:
    """What would be sent to the API server, with a canary for every value of a Secret or a login client."""

    def value(ref: Ref) -> str:
        secret = ref.of.kind == SECRET or ref.output == "client_secret"
        return encode(CANARY if secret else f"value-{ref.output}", ref.encode)

    for resource in plan.resources:
        if resource.id.target != KUBERNETES or resource.id.kind in VIRTUAL:
            continue
        if resource.policy is not Policy.EXTERNAL:
            body = resolve(resource.body, value, lambda of: digest(str(of)), parse=lambda text: [text])
            yield resource, manifest(TENANT, Desired(resource, body))


def texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string, keys included."""
    match value:
        case Mapping():
            for key, item in value.items():
                yield (*path, "<key>"), key
                yield from texts(item, (*path, key))
        case list() | tuple():
            for item in value:
                yield from texts(item, (*path, "*"))
        case str():
            yield path, value


def check_plan(plan: Plan) -> None:
    ids = [resource.id for resource in plan.resources]
    assert len(set(ids)) == len(ids)
    for resource in plan.resources:
        if resource.id.target == KUBERNETES:
            check_bounds(TENANT, resource.id, resource.policy)
            external = resource.policy is Policy.EXTERNAL
            assert resource.id.kind in (KINDS | READ_ONLY_KINDS if external else KINDS)


def check_object(resource: Resource, obj: Json, sent: str) -> None:
    """And that hostile text is a value in a JSON document; never a name, key, argument, variable or program."""
    metadata = obj["metadata"]
    named_by_a_person = resource.policy is Policy.EXTERNAL
    assert _NAME.fullmatch(metadata["name"])
    assert len(metadata["name"]) <= (253 if named_by_a_person else 63)
    for key, text in metadata["labels"].items():
        assert _LABEL.fullmatch(text), f"{key}: {text}"
        assert len(text) <= 63
    for key in (*obj.get("data", {}), *obj.get("stringData", {})):
        assert _KEY.fullmatch(key)
    assert len(sent) < _LIMIT
    if resource.id.kind != SECRET:
        assert CANARY not in sent
    if MARK in sent:
        check_free_text(resource, obj)


def check_free_text(resource: Resource, obj: Json) -> None:
    for path, text in texts(obj):
        if MARK not in text:
            continue
        if path[-1] == "authdb" and resource.id.name.startswith("storage-"):
            assert all(len(line.split()) % 2 == 0 and line[:2] in ("u ", "g ") for line in text.splitlines())
            continue
        where = (resource.id.name, path[-1])
        assert resource.id.kind == "v1/ConfigMap", path
        assert path[:1] == ("data",), path
        assert where in JSON_DOCUMENTS, where
        assert all("<key>" not in inner for inner, found in texts(json.loads(text)) if MARK in found)


def rendered(spec: Json, counts: Counter[str], *, twice: bool = True) -> None:
    """One wish, all checks. twice: and the same comes when it is rendered again."""
    try:
        plan = plan_of(spec)
    except (SpecError, NameTakenError):
        counts["refused"] += 1
        return
    counts["rendered"] += 1
    check_plan(plan)
    made = [(resource, obj, json.dumps(obj)) for resource, obj in objects(plan)]
    assert made
    if twice:
        assert [sent for _, _, sent in made] == [json.dumps(obj) for _, obj in objects(plan_of(spec))]
    for resource, obj, sent in made:
        check_object(resource, obj, sent)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_admitted_wish_is_rendered(
    part: int, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    counts: Counter[str] = Counter()
    wishes: list[Json] = []

    @seed(part)
    @settings(
        max_examples=DRAWN,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn())
    @example(FULL)
    def check(spec: Json) -> None:
        rendered(spec, counts)
        wishes.append(spec)

    check()
    chance = random.Random(part)  # noqa: S311 a sample, not a secret
    for _ in range(CROSSED):
        spec = crossed(chance.sample(wishes, 4), chance)
        try:
            rendered(spec, counts, twice=False)
        except Exception as error:
            error.add_note(f"from {json.dumps(spec)}")
            raise
    for outcome, number in counts.items():
        record_property(outcome, number)
    with capsys.disabled():
        print(f"\n  wishes: {dict(counts)}")
    assert counts["rendered"] >= 0.98 * (DRAWN + CROSSED)


@pytest.mark.parametrize("leaf", [leaf for leaf in leaves() if leaf.schema["type"] == "string"], ids=str)
def test_hostile_text_is_refused_or_harmless(leaf: Any, record_property: Callable[[str, object], None]) -> None:
    counts: Counter[str] = Counter()
    for text in HOSTILE:
        base = put(FULL, leaf.path[:-1], [text]) if leaf.path[-1] == 0 else put(FULL, leaf.path, text)
        rendered(_alone(base, leaf.path), counts)
    record_property("counts", dict(counts))
    assert counts.total() == len(HOSTILE)
    if pattern := pattern_of(leaf.schema):
        assert counts["refused"] >= sum(not pattern.fullmatch(text) for text in HOSTILE)


def _alone(spec: Json, path: tuple[str | int, ...]) -> Json:
    """Without what excludes the leaf by a rule that crosses fields."""
    match path:
        case ("exposure", "tls", "secret", *_):
            del spec["exposure"]["tls"]["certManager"]
        case ("exposure", "gateway", *_):
            gateway = {"name": "public", "namespace": "infra"} | spec["exposure"]["gateway"]
            spec["exposure"] = {"gateway": gateway}
        case ("catalogue", "entries", *_):
            entry = spec["catalogue"]["entries"][0]
            spec["catalogue"]["entries"][0] = {"name": "base", "image": "example.org/base:1"} | entry
        case ("identity", "scopes", *_):
            spec["identity"]["scopes"].insert(0, "openid")
    return spec


def test_the_largest_wish_fits() -> None:
    groups = [f"{number:03}{MARK}{'g' * 190}" for number in range(100)]
    images = [
        {
            "name": f"{number:03}{'n' * 60}",
            "image": f"example.org/{'i' * 259}:{'t' * 128}",
            "displayName": "\U0001f30a" * 100,
        }
        for number in range(200)
    ]
    spec = put(put(FULL, ("identity", "allowedGroups"), groups), ("catalogue", "entries"), images)
    spec["identity"]["adminGroups"] = groups
    spec["identity"]["scopes"] = ["openid", *(f"{number:02}{'s' * 98}" for number in range(29))]
    counts: Counter[str] = Counter()
    rendered(spec, counts)
    assert counts == {"rendered": 1}


@given(st.sampled_from(list(leaves())), st.sampled_from([None, [], {}, "text", True, 1.5, -1, [[]]]))
@settings(max_examples=3000 if LONG else 150, deadline=None, derandomize=True, database=None)
def test_a_value_of_any_type_anywhere_is_refused_or_rendered(leaf: Any, value: Any) -> None:
    rendered(put(FULL, leaf.path[:-1] if leaf.path[-1] == 0 else leaf.path, value), Counter())
