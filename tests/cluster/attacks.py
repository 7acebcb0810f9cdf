"""What is tried by whom: requests to the API server, and wishes. tests/cluster/test_attacks.py tries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.site import SYSTEM, Json

EVE, VICTIM = "eve", "victim"
HUB = f"system:serviceaccount:{EVE}:hub"
VRE = "/apis/vre.science/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"

POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "attack"},
    "spec": {"containers": [{"name": "a", "image": "localhost/a"}]},
}
BINDING: Json = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "attack"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
    "subjects": [{"kind": "User", "name": EVE, "apiGroup": "rbac.authorization.k8s.io"}],
}
OTHERS = (VICTIM, f"{VICTIM}-notebooks", SYSTEM, "kube-system")
ELSEWHERE = (*OTHERS, f"{EVE}-notebooks")
SITE: Json = {"apiVersion": "vre.science/v1alpha1", "kind": "VRESite", "metadata": {"name": "site"}}
OWN = f"/api/v1/namespaces/{EVE}"

Attack = tuple[str, str, Json | None]
"""Method, path and body of a request."""

ATTACKS: dict[str, Attack] = {
    **{
        f"list {kind} in {space}": ("GET", f"/api/v1/namespaces/{space}/{kind}", None)
        for space in ELSEWHERE
        for kind in ("secrets", "configmaps", "pods")
    },
    **{f"make a pod in {space}": ("POST", f"/api/v1/namespaces/{space}/pods", POD) for space in ELSEWHERE},
    **{
        f"bind herself in {space}": ("POST", f"{RBAC}/namespaces/{space}/rolebindings", BINDING)
        for space in (*ELSEWHERE, EVE)
    },
    **{
        f"{method} the VREEnvironment of another": (
            method,
            f"{VRE}/namespaces/{VICTIM}/vreenvironments/vre",
            body,
        )
        for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"spec": {"suspend": True}}))
    },
    "list all VREEnvironments": ("GET", f"{VRE}/vreenvironments", None),
    "list all Secrets": ("GET", "/api/v1/secrets", None),
    "read the operator's Secrets in her namespace": ("GET", f"{OWN}/secrets", None),
    "read one of them by name": ("GET", f"{OWN}/secrets/hub-secrets", None),
    "make a pod that mounts them": ("POST", f"{OWN}/pods", POD),
    "make a Deployment": (
        "POST",
        f"/apis/apps/v1/namespaces/{EVE}/deployments",
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {}},
    ),
    "make a Job": (
        "POST",
        f"/apis/batch/v1/namespaces/{EVE}/jobs",
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {}},
    ),
    "take a token of the hub's account": (
        "POST",
        f"{OWN}/serviceaccounts/hub/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}},
    ),
    "exec into a pod": ("POST", f"{OWN}/pods/hub/exec?command=sh", None),
    "attach to a pod": ("POST", f"{OWN}/pods/hub/attach", None),
    "forward a port of a pod": ("POST", f"{OWN}/pods/hub/portforward", None),
    "put a container into a running pod": ("PATCH", f"{OWN}/pods/hub/ephemeralcontainers", {"spec": {}}),
    "reach a pod by the API server's proxy": ("GET", f"{OWN}/pods/hub:8081/proxy/hub/api", None),
    "reach a Service by the API server's proxy": ("GET", f"{OWN}/services/hub:8081/proxy/hub/api", None),
    "loosen her namespace's Pod Security": (
        "PATCH",
        OWN,
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    ),
    "remove her quota": ("DELETE", f"{OWN}/resourcequotas/vre", None),
    "remove a wall": (
        "DELETE",
        f"/apis/networking.k8s.io/v1/namespaces/{EVE}/networkpolicies/default-deny",
        None,
    ),
    "make a hole in a wall": (
        "PATCH",
        f"/apis/networking.k8s.io/v1/namespaces/{EVE}/networkpolicies/default-deny",
        {"spec": {"ingress": [{}]}},
    ),
    "make a namespace": (
        "POST",
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "atlas-notebooks"}},
    ),
    "delete her namespace of sessions": ("DELETE", f"/api/v1/namespaces/{EVE}-notebooks", None),
    "forge her status": (
        "PATCH",
        f"{VRE}/namespaces/{EVE}/vreenvironments/vre/status",
        {"status": {"inventory": ["0 Delete kubernetes:v1/Namespace::kube-system"]}},
    ),
    "set the site's bounds": ("POST", f"{VRE}/vresites", SITE),
    "read the site's bounds": ("GET", f"{VRE}/vresites/site", None),
    "change the definition": (
        "PATCH",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vreenvironments.vre.science",
        {"spec": {"scope": "Cluster"}},
    ),
    "remove the policy of bounds": (
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicybindings/vre-operator-bounds",
        None,
    ),
    "remove the policy of workflows": (
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicybindings/vre-operator-workflow-jobs",
        None,
    ),
    "make a webhook": (
        "POST",
        f"{ADMISSION}/mutatingwebhookconfigurations",
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "attack"},
        },
    ),
    "take the operator's Lease": (
        "PATCH",
        f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/vre-operator",
        {"spec": {"holderIdentity": EVE}},
    ),
    "make herself a ClusterRoleBinding": (
        "POST",
        f"{RBAC}/clusterrolebindings",
        BINDING | {"kind": "ClusterRoleBinding"},
    ),
    "widen her own role": (
        "PATCH",
        f"{RBAC}/clusterroles/vre-tenant-admin",
        {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
    ),
    "read a node": ("GET", "/api/v1/nodes", None),
    "make a PersistentVolume": (
        "POST",
        "/api/v1/persistentvolumes",
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "a"}},
    ),
    "be somebody else": ("GET", "/api/v1/users/admin", None),
}


# --- in a wish ---

IDENTITY = {"provider": "generic-dcr", "allowAll": True}


def issuer(url: str) -> Json:
    return {"identity": IDENTITY | {"issuer": url}}


def entry(**fields: Any) -> Json:
    return {"catalogue": {"entries": [{"name": "a", "image": "example.org/a:1"} | fields]}}


SPECS: dict[str, Json] = {
    "a Secret in another's namespace, by a path": {
        "identity": {"credentialsSecret": {"name": "../victim/login"}}
    },
    "a Secret in another's namespace, by a field": {
        "identity": {"credentialsSecret": {"name": "login", "namespace": VICTIM}}
    },
    "a pod template": {"notebooks": {"podTemplate": {"hostNetwork": True}}},
    "a service account": {"notebooks": {"serviceAccountName": "default"}},
    "configuration of the hub as code": {"notebooks": {"extraConfig": "import os"}},
    "an issuer by plain HTTP": issuer("http://login.example.org"),
    "an issuer at the loopback": issuer("https://127.0.0.1/"),
    "an issuer at the metadata service": issuer("https://169.254.169.254/latest"),
    "an issuer at an IPv6 address": issuer("https://[::1]/"),
    "an issuer as a number": issuer("https://2130706433/"),
    "an issuer as hexadecimal": issuer("https://0x7f000001/"),
    "an issuer with a user": issuer("https://a:b@login.example.org"),
    "an issuer with a query": issuer("https://login.example.org?x=https://evil.org"),
    "an issuer with a line break": issuer("https://login.example.org/\r\nHost: evil.org"),
    "a hostname with a path": {"hostname": "eve.example.org/admin"},
    "a wildcard for a hostname": {"hostname": "*.example.org"},
    "an address for a hostname": {"hostname": "10.0.0.1"},
    "a hostname with a line break": {"hostname": "eve.example.org\nserver_name victim.example.org"},
    "an icon that is a script": entry(icon="javascript:alert(1)"),
    "documentation that is a script": entry(documentation="javascript:alert(1)"),
    "a link of the page that is a script": {"page": {"links": [{"title": "a", "url": "javascript:alert(1)"}]}},
    "a logo that is a script": {"page": {"logo": "javascript:alert(1)"}},
    "an image with a shell in it": entry(image="example.org/a:1; id"),
    "an image with a line break": entry(image="example.org/a:1\nprivileged: true"),
    "a share over the system's folders": {
        "storage": {"shares": [{"name": "a", "mountPath": "/usr/lib", "claim": {"name": "a"}}]}
    },
    "a share by a path": {
        "storage": {"shares": [{"name": "a", "mountPath": "/data/../etc", "claim": {"name": "a"}}]}
    },
    "a claim in another namespace": {
        "storage": {"shares": [{"name": "a", "mountPath": "/data/a", "claim": {"name": "../victim/homes"}}]}
    },
    "an S3 at a plain address": {
        "storage": {
            "s3": [{"name": "a", "endpoint": "http://169.254.169.254", "credentialsSecret": {"name": "a"}}]
        }
    },
    "a policy package that is a path": {"dataLake": {"enabled": True, "policyPackage": "../../evil"}},
    "a partition with options of Slurm": {
        "workflows": {
            "enabled": True,
            "hostname": "reana.eve.example.org",
            "backends": {"slurm": {"host": "slurm.example.org", "partition": "a --uid=0"}},
        }
    },
    "a login node as an option of ssh": {
        "workflows": {
            "enabled": True,
            "hostname": "reana.eve.example.org",
            "backends": {"slurm": {"host": "-oProxyCommand=id", "partition": "a"}},
        }
    },
}


# --- by a hub ---

RESTRICTED: Json = {
    "containers": [
        {
            "name": "a",
            "image": "localhost/a",
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi"},
                "limits": {"cpu": "10m", "memory": "16Mi"},
            },
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
}


def pod(spec: Mapping[str, Any] | None = None, container: Mapping[str, Any] | None = None) -> Json:
    made = {**RESTRICTED, **(spec or {})}
    made["containers"] = [{**RESTRICTED["containers"][0], **(container or {})}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "attack"}, "spec": made}


def volume(source: Json) -> Json:
    return pod(spec={"volumes": [{"name": "v", **source}]})


def secured(**context: Any) -> Json:
    return pod(container={"securityContext": RESTRICTED["containers"][0]["securityContext"] | context})


SESSIONS = f"/api/v1/namespaces/{EVE}-notebooks"
PODS: dict[str, Json] = {
    "a privileged pod": secured(privileged=True, allowPrivilegeEscalation=True),
    "root in a pod": secured(runAsUser=0, runAsNonRoot=False),
    "more rights than it has": secured(allowPrivilegeEscalation=True),
    "a capability": secured(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    "the node's network": pod(spec={"hostNetwork": True}),
    "the node's processes": pod(spec={"hostPID": True}),
    "the node's files": volume({"hostPath": {"path": "/"}}),
    "the kubelet's files": volume({"hostPath": {"path": "/var/lib/kubelet"}}),
    "a port of the node": pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "no seccomp": pod(
        spec={"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Unconfined"}}}
    ),
}
HUBS: dict[str, Attack] = {
    **{f"make {name}": ("POST", f"{SESSIONS}/pods", body) for name, body in PODS.items()},
    "make a pod in another's namespace of sessions": (
        "POST",
        f"/api/v1/namespaces/{VICTIM}-notebooks/pods",
        pod(),
    ),
    "make a pod beside itself": ("POST", f"{OWN}/pods", pod()),
    "list the sessions of another": ("GET", f"/api/v1/namespaces/{VICTIM}-notebooks/pods", None),
    "end a session of another": ("DELETE", f"/api/v1/namespaces/{VICTIM}-notebooks/pods/jupyter-a", None),
    "read Secrets of its sessions": ("GET", f"{SESSIONS}/secrets", None),
    "read Secrets beside itself": ("GET", f"{OWN}/secrets", None),
    "make a Secret of its sessions": (
        "POST",
        f"{SESSIONS}/secrets",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}},
    ),
    "exec into a session": ("POST", f"{SESSIONS}/pods/jupyter-a/exec?command=sh", None),
    "delete a home": ("DELETE", f"{SESSIONS}/persistentvolumeclaims/claim-a", None),
    "loosen Pod Security": (
        "PATCH",
        SESSIONS,
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    ),
    "remove a wall of its sessions": (
        "DELETE",
        f"/apis/networking.k8s.io/v1/namespaces/{EVE}-notebooks/networkpolicies/default-deny",
        None,
    ),
    "bind itself": ("POST", f"{RBAC}/namespaces/{EVE}-notebooks/rolebindings", BINDING),
    "change its own role": ("PATCH", f"{RBAC}/namespaces/{EVE}-notebooks/roles/hub", {"rules": []}),
    "change its VREEnvironment": ("PATCH", f"{VRE}/namespaces/{EVE}/vreenvironments/vre", {"spec": {}}),
    "take a token of another account": (
        "POST",
        f"{SESSIONS}/serviceaccounts/default/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"},
    ),
    "list nodes": ("GET", "/api/v1/nodes", None),
    "list namespaces": ("GET", "/api/v1/namespaces", None),
}


# --- by the operator ---


def role(*rules: Json) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "attack"},
        "rules": list(rules),
    }


OPERATOR: dict[str, Attack] = {
    "give the right to exec": (
        "POST",
        f"{RBAC}/namespaces/{EVE}/roles",
        role({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}),
    ),
    "give all rights": (
        "POST",
        f"{RBAC}/namespaces/{EVE}/roles",
        role({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
    ),
    "give the right to impersonate": (
        "POST",
        f"{RBAC}/namespaces/{EVE}/roles",
        role({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}),
    ),
    "give the right to give rights": (
        "POST",
        f"{RBAC}/namespaces/{EVE}/roles",
        role(
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate", "bind"]}
        ),
    ),
    "bind the role admin": ("POST", f"{RBAC}/namespaces/{EVE}/rolebindings", BINDING),
    "bind for the whole cluster": (
        "POST",
        f"{RBAC}/clusterrolebindings",
        BINDING | {"kind": "ClusterRoleBinding"},
    ),
    "exec into a pod": ("POST", f"{OWN}/pods/hub/exec?command=sh", None),
    "take a token": (
        "POST",
        f"{OWN}/serviceaccounts/hub/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"},
    ),
    "delete a wish": ("DELETE", f"{VRE}/namespaces/{EVE}/vreenvironments/vre", None),
    "make a wish": ("POST", f"{VRE}/namespaces/{EVE}/vreenvironments", SITE | {"kind": "VREEnvironment"}),
    "set bounds": ("POST", f"{VRE}/vresites", SITE),
    "remove a policy": ("DELETE", f"{ADMISSION}/validatingadmissionpolicies/vre-operator-bounds", None),
    "read a node": ("GET", "/api/v1/nodes", None),
    "make a webhook": (
        "POST",
        f"{ADMISSION}/mutatingwebhookconfigurations",
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "attack"},
        },
    ),
    "make a volume of the node": (
        "POST",
        "/api/v1/persistentvolumes",
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "a"}},
    ),
    "delete a volume": ("DELETE", "/api/v1/persistentvolumes/a", None),
    "change a definition": (
        "PATCH",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vreenvironments.vre.science",
        {"spec": {"scope": "Cluster"}},
    ),
}
