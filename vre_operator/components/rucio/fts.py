"""An FTS that the tenant names: whether it answers, and the x509 proxy for it, storages and Rucio's programs.

Sources: contracts/rucio.md section 3.2. The proxy is a file that changes: FTS's client and the grid's libraries
read it anew for each connection, so nothing restarts when it does. While there is none everything else runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vre_operator.api.lake_storage import X509
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, fts, kube
from vre_operator.components.workloads import Body, mount
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Resource, ResourceId

_DIRECTORY = "/etc/vre/x509"
_KEY = "proxy.pem"
PROXY_FILE = f"{_DIRECTORY}/{_KEY}"
_ORIGIN = "spec.dataLake.transfers"


def _wish(env: Environment) -> X509 | None:
    return env.spec.data_lake.transfers.x509 if ids.named_fts(env) else None


def by_certificate(env: Environment) -> bool:
    return _wish(env) is not None


def render(env: Environment, component: str) -> Iterator[Resource]:
    """Nothing where the tenant names none. One that is spoken to without TLS is not asked: what it answers
    would be anybody's."""
    url = ids.named_fts(env)
    proxy: Ref | str = ""
    if x509 := _wish(env):
        made = _proxy(env, component, x509)
        proxy = Ref(made.id, "proxy")
        yield made
        yield from _files(env, component, x509, proxy)
    if url.startswith("https://"):
        yield Resource(
            id=fts("Server", "fts"),
            component=component,
            body={"url": url, "proxy": proxy, **_reach(env)},
            origin=f"{_ORIGIN}.fts",
        )


def _certificate(env: Environment, x509: X509) -> ResourceId:
    return kube("v1/Secret", env.namespace, x509.certificate_secret.name)


def _proxy(env: Environment, component: str, x509: X509) -> Resource:
    certificate = _certificate(env, x509)
    return Resource(
        id=fts("Proxy", "x509"),
        component=component,
        body={
            "certificate": Ref(certificate, "tls.crt"),
            "key": Ref(certificate, "tls.key"),
            "hours": x509.hours,
            "voms": {"url": x509.voms.url, "attributes": list(x509.voms.attributes)} if x509.voms else {},
            **_reach(env),
        },
        origin=f"{_ORIGIN}.x509",
    )


def _files(env: Environment, component: str, x509: X509, proxy: Ref) -> Iterator[Resource]:
    """The certificate of which the proxy is made, and the Secret that Rucio's pods read."""
    origin = f"{_ORIGIN}.x509.certificateSecret"
    yield workloads.external(component, _certificate(env, x509), origin, "tls.crt", "tls.key")
    yield Resource(
        id=_secret(env),
        component=component,
        body={"type": "Opaque", "stringData": {_KEY: proxy}},
        origin=f"{_ORIGIN}.x509",
    )


def _reach(env: Environment) -> Body:
    site = env.site
    return {
        "ca_bundle": site.ca_bundle,
        "allowed_cidrs": list(site.issuer_cidrs),
        "asleep": env.spec.suspend,
    }


def _secret(env: Environment) -> ResourceId:
    return kube("v1/Secret", env.namespace, "rucio-x509")


@dataclass(frozen=True, slots=True)
class Certified:
    """How a pod of Rucio has the proxy; nothing of it where there is none."""

    env: Environment
    concerned: bool = True

    @property
    def wanted(self) -> bool:
        return self.concerned and by_certificate(self.env)

    @property
    def environment(self) -> dict[str, str]:
        """For gfal; FTS's client is told in rucio.cfg."""
        return {"X509_USER_PROXY": PROXY_FILE} if self.wanted else {}

    @property
    def mounts(self) -> list[Body]:
        return [mount("x509", _DIRECTORY)] if self.wanted else []

    @property
    def volumes(self) -> list[Body]:
        if not self.wanted:
            return []
        # Optional: what has no proxy yet does all the rest. Readable for all in the pod, as rucio.cfg is.
        secret = {"secretName": _secret(self.env).name, "defaultMode": 0o444, "optional": True}
        return [{"name": "x509", "secret": secret}]
