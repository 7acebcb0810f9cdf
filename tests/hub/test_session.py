"""What the real KubeSpawner makes of the rendered configuration: every trait known, and fit pods."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import software
from tests.hub.files import lay_out
from tests.unit.components.scenarios import FULL, FULL_SITE
from vre_operator.api import names
from vre_operator.cli.homes import HOME, HOME_LABEL, PERSON_ANNOTATION
from vre_operator.components import ids
from vre_operator.components.hub.settings import PROBE_USER
from vre_operator.engine.refs import digest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# KubeSpawner reads one when it is made; nothing is ever asked of it.
NO_CLUSTER = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "none",
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
}
ENTRIES = [
    {"name": "base", "image": "example.org/base:1", "displayName": "Base <b>", "description": "{x} & more"},
    {"name": "ocean", "image": "example.org/ocean:2", "documentation": "https://docs.example.org/?a=1&b"},
    {
        "name": "deep",
        "image": "example.org/deep:3",
        "icon": "https://docs.example.org/deep.png",
        "allowedGroups": ["divers", "whales"],
        "resources": {"cpuGuarantee": 1, "cpuLimit": 8, "memoryGuarantee": "4Gi", "memoryLimit": "16Gi"},
        "gpus": {"resource": "example.org/gpu", "count": 2},
        "defaultUrl": "/rstudio",
    },
    {"name": "birds", "image": "example.org/birds:4", "allowedGroups": ["gulls"]},
    {
        "name": "old",
        "image": "example.org/old:1",
        "lifecycle": {"stage": "Deprecated", "successor": "base", "until": "2099-12-31"},
    },
    {
        "name": "over",
        "image": "example.org/over:1",
        "lifecycle": {"stage": "Deprecated", "until": "2026-01-01"},
    },
    {"name": "kept", "image": "example.org/kept:1", "lifecycle": {"stage": "Hidden"}},
]
DEEP = f"example.org/deep@sha256:{'3' * 64}"
CHOICES = ["base", "ocean", "deep", "birds", "old", "over", "kept", "gone"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sessions(tmp_path_factory.mktemp("hub"), "divers,others")


@pytest.fixture(scope="module")
def told_deep(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sessions(tmp_path_factory.mktemp("hub"), "/deep")


def sessions(
    root: Path, groups: str, fields: dict[str, Any] | None = None, **environment: str
) -> dict[str, Any]:
    """What manifest.py prints for a person of these groups."""
    spec = FULL | {"catalogue": {"entries": ENTRIES, "pullSecrets": [{"name": "mine"}]}} | (fields or {})
    # Without a CA there is no file outside the pod's own directories.
    site = {key: value for key, value in FULL_SITE.items() if key != "caBundle"}
    config = lay_out(root, spec, site, pinned={"deep": DEEP, "gone": "example.org/gone:1"})
    (root / "kubeconfig").write_text(json.dumps(NO_CLUSTER))
    python = str(software.environment("hub") / "python")
    script = str(Path(__file__).with_name("manifest.py"))
    done = subprocess.run(
        [python, script, str(config), *CHOICES],
        env=os.environ
        | {"VRE_HUB_ROOT": str(root), "KUBECONFIG": str(root / "kubeconfig")}
        | {"GROUPS_OF_PERSON": groups, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_every_trait_is_known(told: dict[str, Any]) -> None:
    assert told["unknown"] == []
    assert told["warnings"] == []


def test_pod_fits_the_restricted_level(told: dict[str, Any]) -> None:
    spec = told["starts"]["ocean"]["pod"]["spec"]
    pod, container = spec["securityContext"], spec["containers"][0]["securityContext"]
    assert pod == {
        "fsGroup": 100,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container == {
        "runAsUser": 1000,
        "runAsGroup": 100,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} <= {
        "configMap",
        "persistentVolumeClaim",
        "emptyDir",
        "secret",
    }


def test_pod_is_what_the_tenant_asked_for(told: dict[str, Any]) -> None:
    start = told["starts"]["ocean"]
    pod, claim = start["pod"], start["claim"]
    container = pod["spec"]["containers"][0]
    assert container["image"] == "example.org/ocean:2"
    assert container["resources"] == {
        "limits": {"cpu": 4.0, "memory": 6 * 2**30},
        "requests": {"cpu": 0.25, "memory": 3 * 2**29},
    }
    assert pod["metadata"]["labels"]["vre.science/tenant"] == "ocean"
    assert pod["metadata"]["labels"]["component"] == "singleuser-server"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    home = {volume["name"]: volume for volume in pod["spec"]["volumes"]}["home"]
    assert home["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert {"name": "RUCIO_HOME", "value": "/opt/rucio"} in container["env"]
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}, {"name": ids.pull_secret("mine")}]


def test_sessions_run_where_the_site_says(told: dict[str, Any]) -> None:
    spec = told["default"]["pod"]["spec"]
    assert spec["nodeSelector"] == {"example.org/pool": "people"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["priorityClassName"] == "people"


def test_a_home_grows_at_the_next_start_where_its_class_can_do_that(told: dict[str, Any]) -> None:
    wish = {"spec": {"resources": {"requests": {"storage": "20Gi"}}}}
    start = told["default"]
    claim = start["claim"]["metadata"]
    assert start["patches"][1:] == [["ocean-notebooks", claim["name"], wish]]
    (noted,) = told["class cannot grow"]["patches"]
    assert noted == start["patches"][0]
    assert told["class cannot grow"]["pod"] == start["pod"], "and nobody is kept from working"


def test_a_home_tells_whose_it_is_and_when_it_was_used(told: dict[str, Any]) -> None:
    claim, (note, *_) = told["default"]["claim"], told["default"]["patches"]
    assert claim["metadata"]["labels"][HOME_LABEL] == HOME
    assert claim["metadata"]["annotations"][PERSON_ANNOTATION]
    today = note[2]["metadata"]["annotations"][names.LAST_START_ANNOTATION]
    assert abs((date.fromisoformat(today) - datetime.now(UTC).date()).days) <= 1


def test_homes_in_one_volume_are_a_directory_each(tmp_path: Path) -> None:
    for wish, claim in (({"volume": {"size": "5Ti"}}, "homes"), ({"claim": {"name": "nfs"}}, "nfs")):
        start = sessions(tmp_path / claim, "divers", {"storage": {"homes": wish}})["default"]
        spec = start["pod"]["spec"]
        home = {volume["name"]: volume for volume in spec["volumes"]}["home"]
        assert home["persistentVolumeClaim"]["claimName"] == claim
        (place,) = (one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "home")
        person = start["claim"]["metadata"]["name"].removeprefix("claim-")
        assert place == {"name": "home", "mountPath": "/home/jovyan", "subPath": f"homes/{person}"}
        assert start["patches"] == [], "a volume of all grows by the operator's hand"


def test_only_who_may_use_a_store_has_its_credentials(told: dict[str, Any], told_deep: dict[str, Any]) -> None:
    for start, wanted in ((told["default"], ["survey"]), (told_deep["default"], ["survey", "depths"])):
        spec = start["pod"]["spec"]
        held = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
        assert [one["secretName"] for one in held] == [f"s3-{digest(name)[:8]}" for name in wanted]
        assert all(one["optional"] and one["defaultMode"] == 0o440 for one in held)
        places = [one for one in spec["containers"][0]["volumeMounts"] if one["name"].startswith("s3-")]
        assert [one["mountPath"] for one in places] == [f"/etc/vre/s3-credentials/{name}" for name in wanted]
        assert all(one["readOnly"] for one in places)
        env = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
        assert env["AWS_PROFILE"] == "survey"
        assert env["AWS_CONFIG_FILE"] == "/etc/vre/s3/config"


def test_homes_and_hub_outlive_users_and_bad_images(told: dict[str, Any]) -> None:
    assert told["delete_pvc"] is False
    assert told["failure_limit"] == 0


def test_choice_of_images(told: dict[str, Any]) -> None:
    images = {
        name: start["pod"]["spec"]["containers"][0]["image"]
        for name, start in (told["starts"] | {"-": told["default"]}).items()
        if "pod" in start
    }
    assert images == {
        "base": "example.org/base:1",
        "ocean": "example.org/ocean:2",
        "deep": DEEP,
        "old": "example.org/old:1",
        "over": "example.org/over:1",  # the last choice of somebody, who may go on
        "kept": "example.org/kept:1",
        "-": "example.org/base:1",
    }
    assert "not offered any more" in told["starts"]["gone"]["refused"]
    assert "not offered any more" in told["starts"]["birds"]["refused"], "not to divers"


def test_the_probe_starts_what_only_others_may(tmp_path: Path) -> None:
    starts = sessions(tmp_path, "", PERSON=PROBE_USER)["starts"]
    assert starts["birds"]["pod"]["spec"]["containers"][0]["image"] == "example.org/birds:4"
    assert "refused" in starts["gone"]


def test_an_entry_has_its_own_size_gpus_and_page(told: dict[str, Any]) -> None:
    container = told["starts"]["deep"]["pod"]["spec"]["containers"][0]
    assert container["resources"] == {
        "limits": {"cpu": 8.0, "memory": 16 * 2**30, "example.org/gpu": "2"},
        "requests": {"cpu": 1.0, "memory": 4 * 2**30, "example.org/gpu": "2"},
    }
    pages = {
        name: {one["name"]: one.get("value") for one in start["pod"]["spec"]["containers"][0]["env"]}
        for name, start in told["starts"].items()
        if "pod" in start
    }
    assert pages["deep"]["JUPYTERHUB_DEFAULT_URL"] == "/rstudio"
    assert pages["base"]["JUPYTERHUB_DEFAULT_URL"] == "/lab"


def test_form_shows_texts_as_texts_and_forgets_what_is_gone(told: dict[str, Any]) -> None:
    form = told["form"]
    assert "Base &lt;b&gt;" in form
    assert "{x} &amp; more" in form
    assert len(re.findall(r"checked\s*/>", form)) == 1
    assert "gone" not in form


def test_form_shows_what_is_open_to_the_person(told: dict[str, Any]) -> None:
    form = told["form"]
    assert "deep" in form
    assert "birds" not in form, "of another group"
    assert "kept" not in form, "hidden"
    assert 'value="over"' not in form, "its day has passed"
    assert "It is offered until 2099-12-31; take Base &lt;b&gt; instead." in form
    assert '<a href="https://docs.example.org/?a=1&amp;b" target="_blank" rel="noopener noreferrer">' in form
    assert '<img src="https://docs.example.org/deep.png" alt=""' in form


def shares(start: dict[str, Any]) -> dict[str, tuple[str, bool, str | None]]:
    """By mount path: the claim, whether it is only read, and the propagation."""
    spec = start["pod"]["spec"]
    claims = {
        one["name"]: one["persistentVolumeClaim"]["claimName"]
        for one in spec["volumes"]
        if one["name"].startswith("share-")
    }
    return {
        one["mountPath"]: (claims[one["name"]], bool(one.get("readOnly")), one.get("mountPropagation"))
        for one in spec["containers"][0]["volumeMounts"]
        if one["name"] in claims
    }


def test_shares_are_there_for_whom_they_are(told: dict[str, Any]) -> None:
    """A diver, who is not of /deep; and what does not exist is left out."""
    assert shares(told["default"]) == {
        "/shared/team": ("share-team", True, None),
        "/cvmfs": ("share-software", True, "HostToContainer"),
    }
    homes = [one["name"] for one in told["default"]["pod"]["spec"]["volumes"]]
    assert "home" in homes


def test_what_is_left_out_is_told_in_the_log(told: dict[str, Any]) -> None:
    assert told["left_out"]
    assert all("archive" in line for line in told["left_out"])


def test_who_is_of_the_group_has_more_and_writes(told_deep: dict[str, Any]) -> None:
    assert shares(told_deep["default"]) == {
        "/shared/team": ("share-team", False, None),
        "/shared/deep": ("share-deep", False, None),
        "/cvmfs": ("share-software", True, "HostToContainer"),
    }
