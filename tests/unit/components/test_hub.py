"""The hub and the checks of images, as rendered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.components.printing import YamlSnapshots, to_yaml
from tests.unit.components.scenarios import FULL, QUICKSTART, environment, scenario
from vre_operator.components import hub, ids
from vre_operator.components.context import Environment, kube
from vre_operator.components.hub import access, notebooks, settings
from vre_operator.engine.refs import all_needs, printable, references, watches
from vre_operator.engine.resources import Policy, Resource


def rendered(env: Environment) -> dict[str, Resource]:
    return {resource.id.name: resource for resource in hub.render(env) if resource.id.namespace == "ocean"}


def deployment(env: Environment, name: str) -> Resource:
    wanted = kube("apps/v1/Deployment", env.namespace, name)
    return next(resource for resource in hub.render(env) if resource.id == wanted)


def traits(spec: dict[str, Any], site: dict[str, Any] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(settings.settings(environment(spec, site)))["traits"]
    return answer


@pytest.mark.parametrize("name", ["quickstart", "full", "external-database", "suspended"])
def test_it_renders_as_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    # The program is reviewed as a file.
    text = to_yaml([*hub.render(scenario(name)), *notebooks.render(scenario(name))])
    for file, program in hub.component.PROGRAM.items():
        lines = "\n".join("      " + line if line else "" for line in program.splitlines())
        assert lines in text
        text = text.replace(lines, f"      (files/{file})")
    assert text == snapshot(extension_class=YamlSnapshots)


def test_nothing_when_the_tenant_wants_no_notebooks() -> None:
    env = scenario("hub-off")
    assert not [*hub.render(env), *notebooks.render(env)]


def test_hub_comes_after_rights_walls_and_proxy() -> None:
    env = scenario("full")
    needs, proxy = all_needs(deployment(env, ids.HUB)), deployment(env, ids.PROXY).id
    made = {resource.id for resource in hub.render(env)}
    ground = {each for each in made if "NetworkPolicy" in each.kind or "rbac" in each.kind}
    assert len(ground) == 5
    assert needs >= ground | {
        proxy,
        ids.database_ready(env, ids.HUB),
        ids.sessions(env),
    }
    assert ids.storage_class("fast") in needs


def test_a_new_image_restarts_nothing_and_a_new_limit_the_hub() -> None:
    def restarts(wish: dict[str, Any]) -> bool:
        before, after = (environment(QUICKSTART | each) for each in ({}, wish))
        sources = references(deployment(before, ids.HUB).body["spec"]["template"]["metadata"])
        assert sources == references(deployment(after, ids.HUB).body["spec"]["template"]["metadata"])
        one, other = rendered(before), rendered(after)
        return any(one[each.of.name].body != other[each.of.name].body for each in sources or ())

    assert not restarts({"catalogue": {"entries": [{"name": "a", "image": "example.org/a:1"}]}})
    assert restarts({"notebooks": {"maxSessions": 7}})


def checks(env: Environment) -> list[Resource]:
    return [resource for resource in notebooks.render(env) if resource.id.kind == "batch/v1/Job"]


def test_no_bad_image_holds_the_hub_up() -> None:
    env = scenario("full")
    tried = {resource.id for resource in checks(env)}
    assert tried
    assert not any(all_needs(resource) & tried for resource in hub.render(env))


def test_each_image_is_tried_once_and_found_in_the_spec() -> None:
    images = [
        {"name": name, "image": f"example.org/{image}:1"}
        for name, image in (("a", "x"), ("b", "y"), ("c", "x"))
    ]
    jobs = checks(environment(QUICKSTART | {"catalogue": {"entries": images}}))
    assert [job.origin for job in jobs] == ["spec.catalogue.entries[0]", "spec.catalogue.entries[1]"]
    assert len({job.id for job in jobs}) == 2


def test_a_check_runs_as_a_session_does() -> None:
    env = scenario("quickstart")
    (job,) = checks(env)
    template = job.body["spec"]["template"]["spec"]
    spawner = traits(QUICKSTART)["KubeSpawner"]
    assert template["containers"][0]["args"][0] == spawner["cmd"][0]
    assert template["securityContext"]["runAsUser"] == spawner["uid"]
    assert template["securityContext"]["runAsGroup"] == spawner["gid"]
    image = json.loads(settings.catalogue(env))[0]["spawner"]["image"]
    used = template["containers"][0]["image"]
    # What is named by its digest is not asked for.
    assert getattr(used, "output", used) == image
    assert "image" not in spawner, "it would restart the hub when the list changes"


def test_the_hub_cannot_take_a_home_or_read_a_secret() -> None:
    rights = {(each, verb) for rule in access.RULES for each in rule["resources"] for verb in rule["verbs"]}
    assert ("persistentvolumeclaims", "delete") not in rights
    assert {each for each, _ in rights} == {"pods", "persistentvolumeclaims", "events"}
    assert traits(QUICKSTART)["KubeSpawner"]["delete_pvc"] is False


def test_tokens_are_made_for_every_service() -> None:
    made = set(rendered(scenario("quickstart"))["hub-secrets"].generate)
    services = {service["name"] for service in traits(QUICKSTART)["JupyterHub"]["services"]}
    assert {f"{service}-token" for service in services} <= made


def test_secrets_are_kept_and_only_referred_to() -> None:
    resources = rendered(scenario("quickstart"))
    assert resources["hub-secrets"].policy is Policy.RETAIN
    assert ids.client(scenario("quickstart"), "hub") in all_needs(resources["hub-login"])


@pytest.mark.parametrize(
    ("idle", "every"), [(120, "60"), (300, "150"), (3600, "600")], ids=["short", "medium", "long"]
)
def test_culling_looks_often_enough(idle: int, every: str) -> None:
    spec = QUICKSTART | {"notebooks": {"culling": {"idleSeconds": idle}}}
    (command,) = (each["command"] for each in traits(spec)["JupyterHub"]["services"] if "command" in each)
    assert f"--cull-every={every}" in command
    assert f"--timeout={idle}" in command


def test_no_culler_and_no_rights_for_it_when_off() -> None:
    spec = QUICKSTART | {"notebooks": {"culling": {"enabled": False}}}
    hub_traits = traits(spec)["JupyterHub"]
    assert {each["name"] for key in ("services", "load_roles") for each in hub_traits[key]} == {"vre-operator"}


def test_sizes_are_bytes() -> None:
    spawner = traits(FULL)["KubeSpawner"]
    assert (spawner["mem_guarantee"], spawner["mem_limit"]) == (3 * 2**29, 6 * 2**30)


def test_rucio_is_known_to_notebooks_only_where_there_is_one() -> None:
    without = QUICKSTART | {"dataLake": {"enabled": False}}
    assert "RUCIO_HOME" not in traits(without)["KubeSpawner"]["environment"]
    assert not [each for each in hub.render(environment(without)) if each.id.name == settings.RUCIO_CLIENT]
    spawner = traits(QUICKSTART)["KubeSpawner"]
    assert {"name": "rucio-client", "mountPath": "/opt/rucio/etc", "readOnly": True} in spawner["volume_mounts"]


# --- images -------------------------------------------------------------------------------------------------

_FIXED = f"example.org/fixed@sha256:{'4' * 64}"


def _images(site: dict[str, Any]) -> dict[str, Resource]:
    entries = [{"name": "base", "image": "example.org/base:1"}, {"name": "fixed", "image": _FIXED}]
    env = environment(QUICKSTART | {"catalogue": {"entries": entries}}, site)
    return {resource.id.kind: resource for resource in notebooks.render(env)}


def test_only_tags_are_resolved_and_a_bad_image_holds_up_nothing() -> None:
    found = _images({})
    assert found["Images"].body["images"] == ["example.org/base:1"]
    assert printable(found["Offers"].body["entries"]["fixed"])["reference"] == _FIXED
    assert {need.kind for need in all_needs(found["Offers"])} == {"Images"}, "no check is a need"
    assert {watched.kind for watched in watches(found["Offers"])} == {"batch/v1/Job"}
    hub_needs = all_needs(deployment(environment(QUICKSTART), ids.HUB))
    assert not {need for need in hub_needs if "image-check" in need.name}


def test_where_tags_are_not_resolved_images_are_as_written() -> None:
    found = _images({"resolveTags": False})
    assert set(found) == {"batch/v1/Job"}
    images = rendered(environment(QUICKSTART, {"resolveTags": False}))["hub-images"]
    assert images.body["data"]["pinned.json"] == "{}\n"


def test_a_lacking_pull_secret_holds_up_nobody_without_need_of_it() -> None:
    wish = {"catalogue": {"pullSecrets": [{"name": "pull"}]}}
    found = {one.id: one for one in notebooks.render(environment(QUICKSTART | wish))}
    images = next(one for one in found.values() if one.id.kind == "Images")
    theirs = kube("v1/Secret", "ocean", "pull")
    copy = kube("v1/Secret", "ocean-notebooks", ids.pull_secret("pull"))
    assert found[theirs].policy is Policy.EXTERNAL
    assert watches(images) == {theirs}
    assert theirs not in all_needs(images)
    assert theirs in all_needs(found[copy])
