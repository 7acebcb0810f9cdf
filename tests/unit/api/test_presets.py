"""Sizes that a site gives: a part is the tenant's or the preset's, and none is more than the site allows."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.api.crd import SITE, structural_schema
from vre_operator.api.presets import PARTS, Maximum, Preset, given
from vre_operator.api.rules import quantity
from vre_operator.api.v1alpha1 import VREEnvironment
from vre_operator.api.validate import SpecError, load_vresite

Json = dict[str, Any]

SCHOOL: Json = {
    "name": "school",
    "notebooks": {"maxSessions": 40, "resources": {"memoryLimit": "1Gi"}, "culling": {"idleSeconds": 600}},
    "storage": {"homes": {"size": "1Gi"}},
    "workflows": {"maxRunning": 5},
}


def of(preset: Json | None, **maximum: Any) -> Json:
    chosen = Preset.model_validate(preset) if preset else None
    return {".".join(path): value for path, value in given(chosen, Maximum.model_validate(maximum))}


def test_a_preset_gives_what_it_names_part_by_part() -> None:
    assert of(SCHOOL) == {
        "notebooks.maxSessions": 40,
        # The numbers beside are the product's own, and not another preset's.
        "notebooks.resources": {
            "cpuGuarantee": 0.1,
            "cpuLimit": 2.0,
            "memoryGuarantee": "512Mi",
            "memoryLimit": "1Gi",
        },
        "notebooks.culling": {"enabled": True, "idleSeconds": 600, "maxAgeSeconds": 0},
        "storage.homes.size": "1Gi",
        "workflows.maxRunning": 5,
    }


def test_nothing_is_given_where_nothing_is_said() -> None:
    assert of(None) == {}
    assert of({"name": "empty"}) == {}
    assert of(None, cpu=2, memory="2Gi", sessions=50, home="10Gi", runningWorkflows=30, jobMemory="8Gi") == {}


def test_who_names_nothing_gets_no_more_than_it_may_ask_for() -> None:
    tight = of(None, cpu=1.5, memory="256Mi", sessions=20, home="1Gi", runningWorkflows=0, jobMemory="2Gi")
    resources, jobs = tight["notebooks.resources"], tight["workflows.jobs"]
    assert (resources["cpuLimit"], resources["memoryLimit"], resources["memoryGuarantee"]) == (
        1.5,
        "256Mi",
        "256Mi",
    )
    assert (jobs["memory"], jobs["maxMemory"]) == ("2Gi", "2Gi")
    assert (tight["notebooks.maxSessions"], tight["storage.homes.size"]) == (20, "1Gi")
    assert tight["workflows.maxRunning"] == 0


def test_nor_by_a_preset() -> None:
    assert of(SCHOOL, sessions=30, home="512Mi")["notebooks.maxSessions"] == 30
    assert of(SCHOOL, sessions=30, home="512Mi")["storage.homes.size"] == "512Mi"


def test_a_maximum_that_nobody_can_keep_to_gives_the_least_that_there_is() -> None:
    tight = of(None, sessions=0, home="1k", memory="1Ki", jobMemory="1Ki")
    assert tight["notebooks.maxSessions"] == 1
    assert tight["storage.homes.size"] == "64Mi"
    assert tight["notebooks.resources"]["memoryLimit"] == "128Mi"
    assert quantity(tight["workflows.jobs"]["maxMemory"]) == quantity("64Mi")


@pytest.mark.parametrize("path", PARTS, ids=".".join)
def test_the_api_server_writes_no_default_into_a_part(path: tuple[str, ...]) -> None:
    """Or nobody could tell what a tenant named."""
    node = structural_schema()["properties"]["spec"]
    for key in path[:-1]:
        node = node["properties"][key]
    assert path[-1] not in node["default"]
    node = node["properties"][path[-1]]
    assert "default" not in node
    # A preset's own parts are written out, as its reader would.
    preset = structural_schema(SITE)["properties"]["spec"]["properties"]["presets"]["items"]
    for key in path:
        preset = preset["properties"][key]
    assert preset["type"] == node["type"]


def test_a_wish_says_what_it_named() -> None:
    wish = VREEnvironment.model_validate(
        {
            "apiVersion": "vre.science/v1alpha1",
            "kind": "VREEnvironment",
            "metadata": {"name": "vre"},
            "spec": {"preset": "school", "identity": {"allowAll": True}},
        }
    )
    assert wish.spec.preset == "school"
    assert wish.spec.notebooks.max_sessions == 50


def vresite(**spec: Any) -> Json:
    return {"metadata": {"name": "site"}, "spec": spec}


def test_a_site_that_chooses_a_preset_has_it() -> None:
    chosen = {"presets": [SCHOOL], "defaults": {"preset": "school"}}
    assert load_vresite(vresite(**chosen)).presets[0].name == "school"
    with pytest.raises(SpecError, match=r"spec\.defaults\.preset: is no preset of this VRESite: name one of"):
        load_vresite(vresite(defaults={"preset": "school"}))
    with pytest.raises(SpecError, match=r"spec\.presets\[1\]: Duplicate value"):
        load_vresite(vresite(presets=[SCHOOL, SCHOOL]))
    with pytest.raises(SpecError, match="is more than memoryLimit"):
        load_vresite(
            vresite(presets=[{"name": "a", "notebooks": {"resources": {"memoryLimit": "256Mi"}}}]),
        )
