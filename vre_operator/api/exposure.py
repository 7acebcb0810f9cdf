"""How people reach a VRE: by Ingresses, or by routes of a Gateway that the site has."""

from __future__ import annotations

from enum import StrEnum

from vre_operator.api.base import Label, Model, ObjectName
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule


class IssuerKind(StrEnum):
    ISSUER = "Issuer"
    CLUSTER_ISSUER = "ClusterIssuer"


class CertManager(Model):
    """Have cert-manager issue and renew the certificate."""

    issuer: ObjectName
    """Name of the issuer."""
    kind: IssuerKind = IssuerKind.CLUSTER_ISSUER
    """Kind of the issuer: ClusterIssuer, or Issuer for one in the namespace of this object."""


class Tls(Model):
    """Where the certificate comes from: a Secret, cert-manager, or the ingress controller's default."""

    cel_rules = (
        Rule(
            "!has(self.secret) || !has(self.certManager)",
            "excludes tls.secret",
            "keep secret to bring a certificate, or certManager to have one issued, not both",
            lambda self: self.secret is None or self.cert_manager is None,
            path=".certManager",
        ),
    )

    secret: SecretName | None = None
    """Secret of type kubernetes.io/tls with a certificate for all hostnames of this object."""
    cert_manager: CertManager | None = None
    """Have cert-manager issue and renew the certificate. Excludes secret."""


class Gateway(Model):
    """A Gateway (Gateway API) that somebody else runs, usually the site's."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: Label
    """Its namespace. Its listener has to admit routes of this object's namespace, and with workflows of the one
    that is called as this with -workflows (allowedRoutes)."""
    section_name: ObjectName | None = None
    """The listener for HTTPS, by name. When absent every listener that takes the hostnames serves them, also
    one without TLS."""


WITHOUT_CLASS = Rule(
    "!has(self.gateway) || !has(self.ingressClass)",
    "excludes exposure.gateway",
    "keep gateway for routes of a Gateway, or ingressClass for Ingresses, not both",
    lambda self: self.gateway is None or self.ingress_class is None,
    path=".ingressClass",
)
_CERTIFICATE = "keep gateway, whose listener has the certificate (its admin's matter), or tls for Ingresses"


class Exposure(Model):
    """How people reach the VRE."""

    cel_rules = (
        WITHOUT_CLASS,
        Rule(
            "!has(self.gateway) || (!has(self.tls.secret) && !has(self.tls.certManager))",
            "excludes exposure.gateway",
            _CERTIFICATE,
            lambda self: self.gateway is None or self.tls == Tls(),
            path=".tls",
        ),
    )

    ingress_class: ObjectName | None = None
    """IngressClass of the Ingress objects; the site's default when absent."""
    gateway: Gateway | None = None
    """Gateway of HTTPRoute objects, which take the place of the Ingress objects; the site's default when
    absent. Excludes ingressClass and what is in tls."""
    tls: Tls = Tls()
    """Where the certificate comes from; the ingress controller's default certificate when empty. With a gateway
    it is the Gateway's."""


class SiteCertManager(Model):
    """cert-manager."""

    issuer: ObjectName
    """Name of a ClusterIssuer."""


class SiteTls(Model):
    """Where certificates come from."""

    cert_manager: SiteCertManager | None = None
    """Have cert-manager issue and renew them."""


class SiteExposure(Model):
    """How people reach a VRE."""

    cel_rules = (
        WITHOUT_CLASS,
        Rule(
            "!has(self.gateway) || !has(self.tls.certManager)",
            "excludes exposure.gateway",
            _CERTIFICATE,
            lambda self: self.gateway is None or self.tls == SiteTls(),
            path=".tls",
        ),
    )

    ingress_class: ObjectName | None = None
    """IngressClass; that of the chart's values when absent."""
    gateway: Gateway | None = None
    """Gateway, in the place of an ingress controller. Tenants that name an ingressClass or something in tls
    keep their Ingresses."""
    tls: SiteTls = SiteTls()
    """Where the certificates come from of tenants that name no Secret and no issuer; the ingress controller's
    default certificate when empty."""
