"""The chart, by helm itself, against a real API server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster

CHART = str(Path(__file__).parents[2] / "helm" / "vre-operator")
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


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
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
