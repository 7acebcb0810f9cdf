"""A real API server takes the CRD, applies its defaults, and refuses what `vre validate` refuses."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from dev.cluster import Cluster
from tests.manifests import BAD, BAD_CHANGES, FINE, GOOD, GOOD_CHANGES, SHORT, Bad, BadChange, merge
from vre_operator.api import names
from vre_operator.api.crd import CRD_NAME, custom_resource_definition
from vre_operator.api.paths import at
from vre_operator.api.presets import PARTS
from vre_operator.api.shares import Share
from vre_operator.api.validate import load, load_environment

REPOSITORY = Path(__file__).parents[2]
ADDRESS = (names.GROUP, names.VERSION)


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[Any]:
    """The API server with our CRD."""
    connection = config.new_client_from_config(str(cluster.kubeconfig))  # type: ignore[no-untyped-call]
    definitions: Any = client.ApiextensionsV1Api(connection)
    try:
        definitions.create_custom_resource_definition(custom_resource_definition())
    except ApiException as error:
        if error.status != 409:
            raise
    _kubectl(cluster, "wait", "--for=condition=Established", f"crd/{CRD_NAME}", "--timeout=30s")
    yield client.CustomObjectsApi(connection)
    connection.close()


@pytest.fixture
def existing(api: Any) -> Iterator[Any]:
    """Makes objects, and takes them away afterwards."""
    made = []

    def make(patch: Mapping[str, Any]) -> dict[str, Any]:
        made.append(_create(api, merge(GOOD, patch)))
        return made[-1]

    yield make
    for obj in made:
        api.delete_namespaced_custom_object(
            *ADDRESS, obj["metadata"]["namespace"], names.PLURAL, obj["metadata"]["name"]
        )


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_refused_with_path_and_remedy(api: Any, case: Bad) -> None:
    with pytest.raises(ApiException) as caught:
        _create(api, case.document, dry_run="All")
    _blames(caught.value, case.path, case.server or case.says)


@pytest.mark.parametrize("case", BAD_CHANGES, ids=lambda case: case.name)
def test_change_refused(api: Any, existing: Any, case: BadChange) -> None:
    obj = existing(case.before)
    with pytest.raises(ApiException) as caught:
        _replace(api, obj, merge(merge(GOOD, case.before), case.patch))
    _blames(caught.value, case.path, case.says)


@pytest.mark.parametrize(("name", "before", "patch"), GOOD_CHANGES)
def test_change_allowed(
    api: Any, existing: Any, name: str, before: Mapping[str, Any], patch: Mapping[str, Any]
) -> None:
    _replace(api, existing(before), merge(merge(GOOD, before), patch))


@pytest.mark.parametrize(("name", "patch"), FINE)
def test_taken_and_completed_as_the_models_do(api: Any, name: str, patch: Mapping[str, Any]) -> None:
    document = merge(GOOD, patch)
    stored = _create(api, document, dry_run="All")
    assert load(stored) == load(document)
    assert _spelled_out(stored["spec"]) == _spelled_out(_complete(document))


@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.name)
def test_what_a_site_may_give_can_be_missing(api: Any, case: Bad) -> None:
    _create(api, case.document, dry_run="All")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_examples(api: Any, path: Path) -> None:
    _create(api, merge(yaml.safe_load(path.read_text()), {"metadata": {"namespace": "default"}}), dry_run="All")


def test_volumes_that_a_site_makes_and_the_shares_that_use_them(cluster: Cluster, api: Any) -> None:
    path = REPOSITORY / "examples/site/volumes.yaml"
    space = "survey-notebooks"
    _kubectl(cluster, "create", "namespace", space)
    _kubectl(cluster, "apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    objects = list(yaml.safe_load_all(path.read_text()))
    claims = {one["metadata"]["name"]: one for one in objects if one["kind"] == "PersistentVolumeClaim"}
    volumes = {one["metadata"]["name"]: one for one in objects if one["kind"] == "PersistentVolume"}
    assert {one["metadata"]["namespace"] for one in claims.values()} == {space}
    for name, claim in claims.items():
        reference = volumes[claim["spec"]["volumeName"]]["spec"]["claimRef"]
        assert reference == {"namespace": space, "name": name}
    told = re.findall(r"The share: (\{.*\})$", path.read_text(), re.MULTILINE)
    shares = [Share.model_validate(yaml.safe_load(text)) for text in told]
    assert {share.claim.name for share in shares if share.claim} == claims.keys()


def test_the_share_of_the_api_server_that_a_site_may_give_tenants(cluster: Cluster) -> None:
    path = REPOSITORY / "examples/site/fairness.yaml"
    told = _kubectl(cluster, "apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    assert told.count("created (server dry run)") == 2
    assert "missing" not in told


def test_no_complaint_about_the_definition(api: Any, cluster: Cluster) -> None:
    found = yaml.safe_load(_kubectl(cluster, "get", "crd", CRD_NAME, "-o", "yaml"))
    states = {item["type"]: item["status"] for item in found["status"]["conditions"]}
    assert states == {"NamesAccepted": "True", "Established": "True"}  # NonStructuralSchema would be here


def test_two_who_apply_the_same_definition_agree(api: Any, cluster: Cluster) -> None:
    """Helm, Flux and a person: what the API server drops of the one's would be a conflict for the other."""
    file = str(REPOSITORY / f"crds/{names.PLURAL}.{names.GROUP}.yaml")
    for manager in ("helm", "a-person"):
        _kubectl(cluster, "apply", "--server-side", "--field-manager", manager, "-f", file)


def test_kubectl_explains_and_lists(api: Any, cluster: Cluster, existing: Any) -> None:
    text = _explain(cluster, "vre.spec.identity.issuer")
    assert "Cannot be changed later" in " ".join(text.split())
    existing({})
    header, line = _kubectl(cluster, "get", "vre", "-n", "default").splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "URL", "VERSION", "AGE"]
    assert line.startswith("good")


def test_status_is_kept_whole(api: Any, existing: Any) -> None:
    obj = existing({})
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "everything asked for works",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status: dict[str, Any] = {
        "observedGeneration": 1,
        "conditions": [condition],
        "endpoints": {"url": "https://vre.example.org"},
        "hostnames": ["vre.example.org"],
        "version": "0.1.0",
        "given": [{"field": "spec.notebooks.maxSessions", "value": "10"}],
        "catalogue": [{"name": "base", "image": "example.org/base:1", "since": "2026-01-01T00:00:00Z"}],
    }
    stored = api.replace_namespaced_custom_object_status(
        *ADDRESS, "default", names.PLURAL, "good", obj | {"status": status}, field_validation="Strict"
    )
    assert stored["status"] == status | {"registration": [], "credentials": [], "inventory": []}


def _create(api: Any, document: Mapping[str, Any], **options: str) -> dict[str, Any]:
    created: dict[str, Any] = api.create_namespaced_custom_object(
        *ADDRESS,
        document["metadata"]["namespace"],
        names.PLURAL,
        document,
        field_validation="Strict",
        **options,
    )
    return created


def _replace(api: Any, old: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    version = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    api.replace_namespaced_custom_object(
        *ADDRESS,
        "default",
        names.PLURAL,
        document["metadata"]["name"],
        merge(document, version),
        dry_run="All",
        field_validation="Strict",
    )


def _blames(error: ApiException, path: str, words: str) -> None:
    """The answer names the field, once for each thing that is wrong with it, and says the words."""
    answer = yaml.safe_load(error.body or "")
    assert answer["code"] in {400, 422}
    causes = (answer.get("details") or {}).get("causes")
    if causes:
        # "some validation rules were not checked" stands beside, without a field
        told = [(cause["field"], cause["message"]) for cause in causes if cause["field"] not in {"", "<nil>"}]
        assert {field for field, _ in told} == {path}
        assert any(words in message for _, message in told)
    else:
        assert f'"{path}"' in answer["message"]
        assert words in answer["message"]


def _complete(document: Mapping[str, Any]) -> dict[str, Any]:
    """With all defaults but those that a preset of the site may know better."""
    whole = load_environment(document).spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    for *above, last in PARTS:
        if at(document["spec"], *above, last) is None:
            del at(whole, *above)[last]
    return whole


def _spelled_out(value: Any) -> Any:
    """JSON knows one kind of number: 2 and 2.0 are the same."""
    match value:
        case dict():
            return {key: _spelled_out(item) for key, item in value.items()}
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _explain(cluster: Cluster, path: str) -> str:
    """The API server publishes a new definition's documentation some seconds after it serves the kind."""
    for _ in range(30):
        try:
            return _kubectl(cluster, "explain", path)
        except subprocess.CalledProcessError:
            time.sleep(1)
    return _kubectl(cluster, "explain", path)


def _kubectl(cluster: Cluster, *arguments: str) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(cluster.kubeconfig), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
