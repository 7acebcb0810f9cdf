"""What a component may know: the tenant's validated wish and the site's settings. Nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.engine.resources import FTS, KUBERNETES, OIDC, REANA, REGISTRY, RUCIO, ResourceId, Tenant


@dataclass(frozen=True, slots=True)
class Environment:
    """The input of every component."""

    tenant: Tenant
    spec: VREEnvironmentSpec
    site: Site

    @property
    def namespace(self) -> str:
        return self.tenant.namespace

    @property
    def notebooks(self) -> str:
        return self.tenant.notebooks_namespace

    @property
    def workflows(self) -> str:
        return self.tenant.workflows_namespace

    def service_host(self, service: str, namespace: str | None = None) -> str:
        """The in-cluster DNS name of a Service."""
        return f"{service}.{namespace or self.namespace}.svc.{self.site.cluster_domain}"


def kube(kind: str, namespace: str, name: str) -> ResourceId:
    """The id of a Kubernetes object; `kind` with its apiVersion: "v1/Secret", "apps/v1/Deployment"."""
    return ResourceId(KUBERNETES, kind, namespace, name)


def oidc(kind: str, name: str) -> ResourceId:
    """The id of a thing at the identity provider: "Issuer" or "Client"."""
    return ResourceId(OIDC, kind, "", name)


def fts(kind: str, name: str) -> ResourceId:
    """The id of a thing of an FTS: "Proxy" or "Server"."""
    return ResourceId(FTS, kind, "", name)


def registry(kind: str, name: str) -> ResourceId:
    """The id of a thing of registries of images: "Images" or "Offers"."""
    return ResourceId(REGISTRY, kind, "", name)


def reana(kind: str, name: str) -> ResourceId:
    """The id of a thing in the tenant's REANA: "People"."""
    return ResourceId(REANA, kind, "", name)


def rucio(kind: str, name: str) -> ResourceId:
    """The id of a thing in the tenant's Rucio: "Server", "Rse", "Distances", "Account" or "Option"."""
    return ResourceId(RUCIO, kind, "", name)
