"""What the engine of a workflow may start: the chart's policy against a real API server, with real attacks.

The Job is as REANA's job controller writes it (contracts/reana.md section 4, read in its source of 2026-06).
"""

from __future__ import annotations

import copy
import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster
from tests.cluster import kerberos
from tests.cluster.test_chart import Helm
from tests.cluster.workflows import ENGINE, SPACE, ApiServer

PERSON, STORE, WORKFLOW = kerberos.PERSON, kerberos.STORE, str(uuid.UUID(int=2))
WORKSPACE = f"users/{PERSON}/workflows/{WORKFLOW}"
RIGHTS: list[dict[str, Any]] = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [STORE], "verbs": ["get"]},
]
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "reana-run-job-1", "namespace": SPACE},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "metadata": {"labels": {"reana-run-job-workflow-uuid": WORKFLOW, "user-uuid": PERSON}},
            "spec": {
                "automountServiceAccountToken": False,
                "restartPolicy": "Never",
                "enableServiceLinks": False,
                "securityContext": {"runAsUser": 1000, "runAsGroup": 0, "runAsNonRoot": True},
                "containers": [
                    {
                        "name": "job",
                        "image": "example.org/analysis:1",
                        "command": ["bash", "-c"],
                        "args": ["make"],
                        "env": [
                            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": STORE, "key": "TOKEN"}}},
                            {"name": "PLAIN", "value": "1"},
                        ],
                        "securityContext": {"allowPrivilegeEscalation": False},
                        "volumeMounts": [
                            {"name": STORE, "mountPath": "/etc/reana/secrets"},
                            {
                                "name": "reana-shared-volume",
                                "mountPath": f"/var/reana/{WORKSPACE}",
                                "subPath": WORKSPACE,
                            },
                        ],
                    }
                ],
                "volumes": [
                    {"name": STORE, "secret": {"secretName": STORE, "items": []}},
                    {
                        "name": "reana-shared-volume",
                        "persistentVolumeClaim": {"claimName": "reana-shared-persistent-volume"},
                    },
                ],
            },
        },
    },
}

Pod = dict[str, Any]
Change = Callable[[Pod], object]


def volume(source: dict[str, Any]) -> Change:
    return lambda pod: pod["volumes"].append({"name": "more", **source})


def claim(name: str, *, sub_path: str = "") -> Change:
    def change(pod: Pod) -> None:
        volume({"persistentVolumeClaim": {"claimName": name}})(pod)
        mount = {"name": "more", "mountPath": "/more"} | ({"subPath": sub_path} if sub_path else {})
        pod["containers"][0]["volumeMounts"].append(mount)

    return change


def of_job(key: str, value: Any) -> Change:
    """A field of the container."""
    return lambda pod: pod["containers"][0].update({key: value})


def of_init(**fields: Any) -> Change:
    container = {"name": "more", "image": "example.org/more:1", "command": ["true"], **fields}
    return lambda pod: pod.update(initContainers=[container])


def kerberos_step(generation: str, **renewing: Any) -> Change:
    """As REANA writes it. renewing: more of the container that renews the ticket."""

    def change(pod: Pod) -> None:
        made, step = kerberos.made(generation), pod["containers"][0]
        pod["volumes"] += made["volumes"]
        step["volumeMounts"] += made["volume_mounts"]
        step["env"] += made["env"]
        step["args"] = [f"trap 'touch {kerberos.CACHE}status_file' EXIT; make"]
        pod["initContainers"] = [made["init_container"]]
        pod["containers"].append(made["renew_container"] | {"args": ["sleep 1"]} | renewing)

    return change


def as_krb5_conf(source: dict[str, Any]) -> Change:
    """Another volume in the place of krb5.conf's, by its name."""

    def change(pod: Pod) -> None:
        kerberos_step("0.95")(pod)
        pod["volumes"] = [one for one in pod["volumes"] if one["name"] != "krb5-conf"]
        pod["volumes"].append({"name": "krb5-conf", **source})

    return change


SECRET = {"secretKeyRef": {"name": "reana-secrets", "key": "REANA_SECRET_KEY"}}
BARE = {"name": "reana-shared-volume", "mountPath": "/everything"}
FINE: dict[str, Change] = {
    "as it is": lambda pod: None,
    "no volume": lambda pod: (pod.pop("volumes"), pod["containers"][0].pop("volumeMounts")),
    "the account default by name": lambda pod: pod.update(serviceAccountName="default"),
    "CVMFS": claim("reana-cvmfs", sub_path="atlas.cern.ch"),
    "a certificate proxy": lambda pod: (
        of_init(volumeMounts=[{"name": "more", "mountPath": "/vomsproxy_cache"}])(pod),
        volume({"emptyDir": {}})(pod),
    ),
    **{
        f"Kerberos of {generation}": kerberos_step(generation) for generation in ("0.9", "0.95", kerberos.LATER)
    },
    "what a file of the pod says": of_job(
        "env", [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    ),
}
ATTACKS: dict[str, tuple[str, Change]] = {
    "the account of the infrastructure": (
        "service account",
        lambda pod: pod.update(serviceAccountName="reana-infrastructure"),
    ),
    "the same by the old name of the field": (
        "service account",
        lambda pod: pod.update(serviceAccount="reana-infrastructure"),
    ),
    "its own account": ("service account", lambda pod: pod.update(serviceAccountName="reana-runtime")),
    "a token": ("service account", lambda pod: pod.update(automountServiceAccountToken=True)),
    "a token by default": ("service account", lambda pod: pod.pop("automountServiceAccountToken")),
    "a token by a volume": (
        "nothing else",
        volume({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
    ),
    "the application's key": ("nothing else", volume({"secret": {"secretName": "reana-secrets"}})),
    "the application's key in a projection": (
        "nothing else",
        volume({"projected": {"sources": [{"secret": {"name": "reana-secrets"}}]}}),
    ),
    "configuration": ("nothing else", volume({"configMap": {"name": "reana-config"}})),
    "the node": ("nothing else", volume({"hostPath": {"path": "/"}})),
    "another claim": ("nothing else", claim("reana-message-broker")),
    "a volume of its own making": (
        "nothing else",
        volume(
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        }
                    }
                }
            }
        ),
    ),
    "a driver": ("nothing else", volume({"csi": {"driver": "secrets-store.csi.k8s.io"}})),
    "a server of files": ("nothing else", volume({"nfs": {"server": "nfs.example.org", "path": "/"}})),
    "an image": ("nothing else", volume({"image": {"reference": "example.org/more:1"}})),
    "everybody's files": (
        "one workspace",
        lambda pod: pod["containers"][0]["volumeMounts"].append(BARE),
    ),
    "everybody's files in a step before": ("one workspace", of_init(volumeMounts=[BARE])),
    "everybody's files by another name": ("one workspace", claim("reana-shared-persistent-volume")),
    "a person's files": (
        "one workspace",
        claim("reana-shared-persistent-volume", sub_path=f"users/{PERSON}"),
    ),
    "files beside": (
        "one workspace",
        claim("reana-shared-persistent-volume", sub_path=f"users/{PERSON}/workflows/{WORKFLOW}/x"),
    ),
    "files by a computed path": (
        "one workspace",
        lambda pod: pod["containers"][0]["volumeMounts"].append({**BARE, "subPathExpr": "users"}),
    ),
    "a variable with the application's key": (
        "environment",
        of_job("env", [{"name": "KEY", "valueFrom": SECRET}]),
    ),
    "the same in a step before": ("environment", of_init(env=[{"name": "KEY", "valueFrom": SECRET}])),
    "variables of a whole Secret": (
        "environment",
        of_job("envFrom", [{"secretRef": {"name": "reana-secrets"}}]),
    ),
    "variables of a whole ConfigMap": (
        "environment",
        of_job("envFrom", [{"configMapRef": {"name": "reana-config"}}]),
    ),
    "configuration as krb5.conf": ("nothing else", as_krb5_conf({"configMap": {"name": "reana-config"}})),
    "a configuration whose name begins like krb5.conf's": (
        "nothing else",
        as_krb5_conf({"configMap": {"name": "reana-krb5-conf-of-others"}}),
    ),
    "the application's key as krb5.conf": (
        "nothing else",
        as_krb5_conf({"secret": {"secretName": "reana-secrets"}}),
    ),
    "krb5.conf in a projection with the key": (
        "nothing else",
        as_krb5_conf(
            {
                "projected": {
                    "sources": [
                        {"configMap": {"name": "reana-krb5-conf"}},
                        {"secret": {"name": "reana-secrets"}},
                    ]
                }
            }
        ),
    ),
    "the key beside a ticket": (
        "environment",
        kerberos_step("0.95", env=[{"name": "KRB5CCNAME", "valueFrom": SECRET}]),
    ),
    "everybody's files beside a ticket": ("one workspace", kerberos_step("0.95", volumeMounts=[BARE])),
    "a node": ("its node", lambda pod: pod.update(nodeName="node-1")),
    "a priority": ("its priority", lambda pod: pod.update(priorityClassName="system-node-critical")),
}


def job(change: Change) -> dict[str, Any]:
    made = copy.deepcopy(JOB)
    change(made["spec"]["template"]["spec"])
    return made


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[ApiServer]:
    """With the chart's policy, and a namespace with REANA's accounts in it."""
    ask = ApiServer(cluster)
    chart = Helm(cluster).render()
    policy = [obj for obj in chart if obj["metadata"]["name"].endswith("-workflow-jobs")]
    assert len(policy) == 2
    subject = {"kind": "ServiceAccount", "name": "reana-runtime", "namespace": SPACE}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
        *(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SPACE}}
            for name in ("reana-runtime", "reana-infrastructure")
        ),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "reana-runtime", "namespace": SPACE},
            "rules": RIGHTS,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reana-runtime", "namespace": SPACE},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "reana-runtime",
            },
            "subjects": [subject],
        },
        *(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SPACE}}
            for name in (STORE, "reana-secrets")
        ),
        *policy,
    ]
    done = ask("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects})
    assert done.returncode == 0, done.stderr
    # A policy is at work a moment after it is made.
    forbidden = job(ATTACKS["the node"][1])
    for _ in range(100):
        if ask.refusal(forbidden):
            break
        subprocess.run(["sleep", "0.2"], check=True)
    yield ask
    ask("delete", "namespace", SPACE, "--wait=false")
    for obj in policy:
        ask("delete", obj["kind"], obj["metadata"]["name"])


def test_the_policy_compiles(server: ApiServer) -> None:
    """The API server checks the types in expressions, and warns of what cannot be."""
    said = server("get", "validatingadmissionpolicy", "vre-operator-workflow-jobs", "-o", "json")
    policy = json.loads(said.stdout)
    for _ in range(100):
        status = policy.get("status", {})
        if status.get("observedGeneration") == policy["metadata"]["generation"]:
            break
        subprocess.run(["sleep", "0.2"], check=True)
        (policy,) = json.loads(server("get", "validatingadmissionpolicy", "-o", "json").stdout)["items"]
    assert status.get("typeChecking", {}).get("expressionWarnings", []) == []


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_what_workflows_do_is_let_through(server: ApiServer, change: Change) -> None:
    assert server.refusal(job(change)) == ""


@pytest.mark.attack("compromised workflow engine", "a Job")
@pytest.mark.parametrize(("message", "change"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused(server: ApiServer, message: str, change: Change) -> None:
    said = server.refusal(job(change))
    assert "ValidatingAdmissionPolicy" in said
    assert message in said.split("denied request:")[-1]


@pytest.mark.attack("compromised workflow engine", "a Job")
@pytest.mark.parametrize(
    "labels",
    [
        {"reana_workflow_mode": "batch"},
        {"app.kubernetes.io/name": "reana-server", "app.kubernetes.io/instance": "policy"},
    ],
    ids=["an engine", "the server"],
)
def test_a_job_that_looks_like_somebody_else_is_refused(server: ApiServer, labels: dict[str, str]) -> None:
    """Network policies would take it for one."""
    made = job(lambda pod: None)
    made["spec"]["template"]["metadata"]["labels"] |= labels
    assert "labels that REANA gives it" in server.refusal(made)


@pytest.mark.attack("compromised workflow engine", "a Job")
def test_a_job_that_takes_others_pods_is_refused(server: ApiServer) -> None:
    made = job(lambda pod: None)
    labels = {"reana-run-job-workflow-uuid": WORKFLOW}
    made["spec"] |= {"manualSelector": True, "selector": {"matchLabels": labels}}
    assert "labels that REANA gives it" in server.refusal(made)


def test_what_is_stored_is_what_was_looked_at(server: ApiServer) -> None:
    """Not only under --dry-run, and it has the labels that the API server adds."""
    assert server.refusal(JOB, dry_run=False) == ""
    stored = yaml.safe_load(server("get", "job", "-n", SPACE, "reana-run-job-1", "-o", "yaml").stdout)
    assert "batch.kubernetes.io/controller-uid" in stored["spec"]["template"]["metadata"]["labels"]


def test_it_reads_the_stores_of_people_and_no_other_secret(server: ApiServer) -> None:
    def get(name: str) -> int:
        return server("get", "secret", "-n", SPACE, name, f"--as={ENGINE}").returncode

    assert get(STORE) == 0
    assert get("reana-secrets") == 1
    for verb in ("list", "watch", "create", "update", "patch", "delete"):
        can = server("auth", "can-i", verb, "secrets", "-n", SPACE, f"--as={ENGINE}")
        assert can.stdout.strip() == "no", verb


@pytest.mark.parametrize("who", ["admin", "system:serviceaccount:elsewhere:reana-runtime"])
def test_others_are_not_concerned(server: ApiServer, who: str) -> None:
    """The operator's own Jobs have Secrets; an account of this name elsewhere is another."""
    made = job(ATTACKS["the application's key"][1])
    made["metadata"]["name"] = "not-by-the-engine"
    assert server.refusal(made, who=who, group="system:masters") == ""
