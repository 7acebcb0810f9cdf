"""The kinds that the operator speaks of, and the URLs they live at. A closed table: no discovery requests."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from vre_operator.api import names
from vre_operator.engine.errors import Invalid


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `api_version` and `name` as in a manifest, `plural` as in a URL."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.api_version}/{self.name}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of an object, or without `name` of the collection ("" = in every namespace)."""
        parts = ["/apis" if "/" in self.api_version else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


_TABLE = (
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Service", "services"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("v1", "Pod", "pods"),
    Kind("v1", "Event", "events"),
    Kind("v1", "ResourceQuota", "resourcequotas"),
    Kind("v1", "LimitRange", "limitranges"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    Kind("apps/v1", "DaemonSet", "daemonsets"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("batch/v1", "CronJob", "cronjobs"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
    Kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False),
    Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways"),
    Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    Kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("coordination.k8s.io/v1", "Lease", "leases"),
    Kind(names.API_VERSION, names.SITE_KIND, names.SITE_PLURAL, namespaced=False),
    Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
    Kind("cert-manager.io/v1", "Certificate", "certificates"),
    Kind(names.API_VERSION, names.KIND, names.PLURAL),
)

KINDS = {str(kind): kind for kind in _TABLE}


def kind_of(name: str) -> Kind:
    """The kind written `apiVersion/Kind`; Invalid for one that the operator does not know."""
    try:
        return KINDS[name]
    except KeyError:
        raise Invalid(f"the kind {name} is not in the operator's table") from None
