"""The chart, by helm itself, against a real API server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster
from vre_operator.engine.resources import spaces

ROOT = Path(__file__).parents[2]
CHART = str(ROOT / "helm" / "vre-operator")
EXAMPLES = ROOT / "examples" / "site"
EVERYTHING = {
    "image": {"repository": "registry.example.org/vre-operator", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "pull"}],
    "replicas": 2,
    "site": {"ingressClass": "nginx", "caBundle": "-----BEGIN CERTIFICATE-----", "images": {"hub": "hub:1"}},
    "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    "podDisruptionBudget": {"enabled": True},
    "env": [{"name": "VRE_LOG_LEVEL", "value": "debug"}],
    "podAnnotations": {"example.org/team": "blue"},
    "priorityClassName": "high",
    "tolerations": [{"operator": "Exists"}],
}
VERSION = ("--kube-version", "1.35.0")  # helm by itself believes in an older one


class Helm:
    """helm with values from a mapping."""

    def __init__(self, cluster: Cluster) -> None:
        self._command = [str(cluster.bin / "helm"), "--kubeconfig", str(cluster.kubeconfig)]

    def __call__(self, *arguments: str, values: Any = None) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *arguments, "--values", "-"]
        return subprocess.run(
            command, input=json.dumps(values or {}), capture_output=True, text=True, check=False
        )

    def render(self, values: Any = None) -> list[dict[str, Any]]:
        """What an install would send."""
        done = self("template", "vre-operator", CHART, "--namespace", "default", *VERSION, values=values)
        assert done.returncode == 0, done.stderr
        return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


@pytest.fixture
def helm(cluster: Cluster) -> Helm:
    return Helm(cluster)


@pytest.mark.parametrize(
    "values",
    [{}, EVERYTHING, yaml.safe_load((EXAMPLES / "without-cluster-rights.yaml").read_text())],
    ids=["defaults", "everything", "namespaced"],
)
def test_lint_finds_nothing(helm: Helm, values: Any) -> None:
    done = helm("lint", CHART, "--strict", *VERSION, values=values)
    assert done.returncode == 0, done.stdout


def test_defaults_render_what_is_needed(helm: Helm) -> None:
    kinds = [obj["kind"] for obj in helm.render()]
    assert sorted(set(kinds)) == sorted(
        {
            *("ClusterRole", "ClusterRoleBinding", "ConfigMap", "CustomResourceDefinition", "Deployment"),
            *("Role", "RoleBinding", "Service", "ServiceAccount"),
            *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        }
    )


def test_every_switch_renders(helm: Helm) -> None:
    rendered = {obj["kind"]: obj for obj in helm.render(EVERYTHING)}
    assert {"NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"} <= set(rendered)
    pod = rendered["Deployment"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("registry.example.org/vre-operator@sha256:")
    assert pod["priorityClassName"] == "high"
    site = yaml.safe_load(rendered["ConfigMap"]["data"]["site.yaml"])
    # What the chart fills in.
    assert site.pop("operatorNamespace") == "default"
    assert site["images"].pop("transfers") == pod["containers"][0]["image"]
    assert site == EVERYTHING["site"]


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_the_api_server_takes_all_of_it(helm: Helm, cluster: Cluster, values: Any) -> None:
    """Fields that do not exist are refused; this API server has no ServiceMonitors."""
    objects = [obj for obj in helm.render(values) if obj["kind"] != "ServiceMonitor"]
    done = subprocess.run(
        [
            *(str(cluster.bin / "kubectl"), "--kubeconfig", str(cluster.kubeconfig), "apply", "--server-side"),
            *("--force-conflicts", "--dry-run=server", "--validate=strict", "--filename", "-"),
        ],
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_crds_are_kept_unless_somebody_says_otherwise(helm: Helm) -> None:
    def crd(values: Any) -> list[dict[str, Any]]:
        return [obj for obj in helm.render(values) if obj["kind"] == "CustomResourceDefinition"]

    assert crd({})[0]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not crd({"crds": {"keep": False}})[0]["metadata"].get("annotations")
    assert crd({"crds": {"install": False}}) == []


NAMESPACED: dict[str, Any] = yaml.safe_load((EXAMPLES / "without-cluster-rights.yaml").read_text())


def test_with_namespaces_to_watch_nothing_of_the_release_is_the_clusters(helm: Helm) -> None:
    rendered = helm.render(NAMESPACED)
    roles = sorted(
        (obj["metadata"]["name"], obj["metadata"]["namespace"]) for obj in rendered if obj["kind"] == "Role"
    )
    listed = NAMESPACED["watchNamespaces"]
    everywhere = [space for name in listed for space in spaces(name)]
    assert roles == sorted(
        [("vre-operator", space) for space in (*everywhere, "default")]
        + [("vre-tenant-admin", name) for name in listed]
    )
    kinds = {obj["kind"] for obj in rendered}
    assert kinds == {"ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount"}
    bound = [obj for obj in rendered if obj["kind"] == "RoleBinding"]
    assert {obj["metadata"]["namespace"] for obj in bound} == {*everywhere, "default"}
    assert all(
        obj["subjects"] == [{"kind": "ServiceAccount", "name": "vre-operator", "namespace": "default"}]
        for obj in bound
    )
    deployment = next(obj for obj in rendered if obj["kind"] == "Deployment")
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "VRE_WATCH_NAMESPACES", "value": ",".join(listed)} in env
    site = yaml.safe_load(next(obj for obj in rendered if obj["kind"] == "ConfigMap")["data"]["site.yaml"])
    assert site["vresite"] == NAMESPACED["site"]["vresite"]


def test_the_clusters_admin_applies_all_that_the_release_leaves_out(helm: Helm) -> None:
    """By the command of docs/site.md: everything of the cluster's but the operator's own rights."""
    shown = [f"--show-only=templates/{name}.yaml" for name in ("crds", "bounds", "workflowjobs")]
    done = helm("template", "vre-operator", CHART, "--namespace", "default", *VERSION, *shown)
    assert done.returncode == 0, done.stderr
    applied = {(obj["kind"], obj["metadata"]["name"]) for obj in yaml.safe_load_all(done.stdout) if obj}
    whole = {(obj["kind"], obj["metadata"]["name"]) for obj in helm.render({"rbac": {"create": False}})}
    rest = {(obj["kind"], obj["metadata"]["name"]) for obj in helm.render(NAMESPACED)}
    assert applied == whole - rest


def _rights(obj: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in obj["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_roles_give_what_the_cluster_role_does_and_of_namespaces_a_look_at_their_own(helm: Helm) -> None:
    (cluster,) = (obj for obj in helm.render() if obj["kind"] == "ClusterRole" and len(obj["rules"]) > 10)
    nowhere = {"namespaces", "vresites", "storageclasses", "ingressclasses", "gateways"}
    wanted = {right for right in _rights(cluster) if right[1] not in nowhere} | {("", "namespaces", "get")}
    wish = {"vreenvironments", "vreenvironments/status"}
    for obj in helm.render(NAMESPACED):
        if obj["kind"] != "Role" or obj["metadata"]["name"] != "vre-operator":
            continue
        where = obj["metadata"]["namespace"]
        looks = [rule for rule in obj["rules"] if rule["resources"] == ["namespaces"]]
        assert [rule["resourceNames"] for rule in looks] == [[where]]
        if where in NAMESPACED["watchNamespaces"]:
            assert _rights(obj) == wanted
        elif where != "default":
            assert _rights(obj) == {r for r in wanted if r[1] not in wish} - {("", "events", "create")}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"crds": {"install": True}}, "set crds.install to false"),
        ({"bounds": {"enforce": True}}, "set bounds.enforce to false"),
        ({"workflowJobs": {"enforce": True}}, "set workflowJobs.enforce to false"),
        ({"rbac": {"aggregate": True}}, "set rbac.aggregate to false"),
        ({"watchNamespaces": ["default"]}, "watchNamespaces: default is the operator's own namespace"),
        (
            {"watchNamespaces": ["atlas", "atlas-workflows"]},
            "watchNamespaces: atlas-workflows belongs to atlas",
        ),
        ({"watchNamespaces": ["a" * 51]}, "watchNamespaces"),
        ({"watchNamespaces": ["atlas", "atlas"]}, "watchNamespaces"),
        ({"watchNamespaces": []}, "site.vresite: is read with watchNamespaces alone"),
        ({"site": {"vresite": {"bounds": {"tenant": 3}}}}, "tenant"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_work_without_cluster_rights_is_refused_by_name(
    helm: Helm, values: Any, words: str
) -> None:
    done = helm("template", "vre-operator", CHART, *VERSION, values=NAMESPACED | values)
    assert done.returncode != 0
    assert words in done.stderr


def test_a_changed_site_rolls_the_operator(helm: Helm) -> None:
    def digest(values: Any) -> str:
        deployment = next(obj for obj in helm.render(values) if obj["kind"] == "Deployment")
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/site"])

    assert digest({}) != digest({"site": {"ingressClass": "other"}})


def test_the_operator_runs_restricted(helm: Helm) -> None:
    deployment = next(obj for obj in helm.render() if obj["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"replica": 2}, "replica"),
        ({"site": {"ingresClass": "nginx"}}, "ingresClass"),
        ({"site": {"images": {"rucio": "x"}}}, "rucio"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"replicas": "two"}, "replicas"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_value_is_refused_by_name(helm: Helm, values: Any, where: str) -> None:
    done = helm("template", "vre-operator", CHART, *VERSION, values=values)
    assert done.returncode != 0
    assert where in done.stderr
