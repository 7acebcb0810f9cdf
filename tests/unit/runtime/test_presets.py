"""A tenant with a preset of its site: what it named is its own, the rest is the preset's and follows it."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.api.bounds import broken
from vre_operator.api.validate import SpecError, load_vresite
from vre_operator.api.vresite import VRESiteSpec
from vre_operator.runtime.defaults import Wish, effective
from vre_operator.runtime.plans import wanted

Json = dict[str, Any]

IDENTITY: Json = {"issuer": "https://login.example.org", "provider": "generic-dcr", "allowAll": True}
SCHOOL: Json = {"name": "school", "notebooks": {"maxSessions": 40, "resources": {"memoryLimit": "1Gi"}}}
LARGE: Json = {"name": "large", "notebooks": {"maxSessions": 400}, "storage": {"homes": {"size": "100Gi"}}}


def site(**spec: Any) -> VRESiteSpec:
    return load_vresite({"metadata": {"name": "site"}, "spec": {"presets": [SCHOOL, LARGE]} | spec})


def wish(given: VRESiteSpec | None, **spec: Any) -> Wish:
    obj = {
        "metadata": {"namespace": "atlas", "name": "vre"},
        "spec": {"hostname": "atlas.example.org", "identity": IDENTITY} | spec,
    }
    return effective(given, obj, "vre-system")


def test_what_a_tenant_leaves_out_is_the_presets() -> None:
    spec = wanted(wish(site(), preset="school", notebooks={"enabled": True, "culling": {"idleSeconds": 900}}))
    assert (spec.notebooks.max_sessions, spec.notebooks.resources.memory_limit) == (40, "1Gi")
    assert spec.notebooks.culling.idle_seconds == 900
    assert spec.storage.homes.size == "10Gi"


def test_what_a_tenant_names_is_its_own_as_a_whole() -> None:
    own = {"maxSessions": 7, "resources": {"cpuLimit": 4}}
    spec = wanted(wish(site(), preset="school", notebooks=own))
    assert (spec.notebooks.max_sessions, spec.notebooks.resources.cpu_limit) == (7, 4)
    assert spec.notebooks.resources.memory_limit == "2Gi", "not half of one and half of the other"


def test_the_sites_choice_is_for_those_who_make_none() -> None:
    chosen = site(defaults={"preset": "large"})
    assert wanted(wish(chosen)).notebooks.max_sessions == 400
    assert wanted(wish(chosen, preset="school")).notebooks.max_sessions == 40
    assert wanted(wish(site())).notebooks.max_sessions == 50


def test_a_change_of_the_preset_changes_the_wish() -> None:
    """By which plans are remembered."""
    before = wish(site(), preset="school").given
    after = wish(site(presets=[SCHOOL | {"notebooks": {"maxSessions": 41}}]), preset="school").given
    assert before != after
    assert after == {"spec.notebooks.maxSessions": 41}


def test_what_is_given_can_be_told() -> None:
    site_wide = {"domain": "{namespace}.vre.example.org", "exposure": {"ingressClass": "nginx"}}
    small = SCHOOL | {"notebooks": {"maxSessions": 40, "culling": {"idleSeconds": 900}}}
    found = wish(site(presets=[small], defaults=site_wide), preset="school", hostname=None)
    assert found.followed == [
        {"field": "spec.exposure.ingressClass", "value": "nginx"},
        {"field": "spec.notebooks.culling", "value": '{"enabled":true,"idleSeconds":900,"maxAgeSeconds":0}'},
        {"field": "spec.notebooks.maxSessions", "value": "40"},
    ]
    assert [one["field"] for one in found.kept] == ["spec.hostname"]


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (site(), "use one of school, large, or leave it out; the site's admin can add it"),
        (site(presets=[]), "leave it out; the site's admin can add it (spec.presets of the VRESite)"),
        (None, "leave it out; the site's admin can add it"),
    ],
)
def test_one_that_is_not_there_is_told(given: VRESiteSpec | None, remedy: str) -> None:
    with pytest.raises(SpecError) as caught:
        wanted(wish(given, preset="scool"))
    assert f"spec.preset: scool is no preset of this site: {remedy}" in str(caught.value)


def test_one_that_is_no_name_is_told_as_that() -> None:
    with pytest.raises(SpecError, match=r"spec\.preset: must be of type string"):
        wanted(wish(site(), preset=["school"]))


def test_whoever_names_nothing_is_within_bounds() -> None:
    maximum = {
        "cpu": 1,
        "memory": "1Gi",
        "sessions": 5,
        "home": "1Gi",
        "runningWorkflows": 1,
        "jobMemory": "1Gi",
    }
    tight = site(bounds={"maximum": maximum}, defaults={"preset": "large"})
    found = wish(tight)
    spec = wanted(found).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert list(broken(tight.bounds, "atlas", spec)) == []
    assert list(broken(tight.bounds, "atlas", found.obj["spec"])) == []
