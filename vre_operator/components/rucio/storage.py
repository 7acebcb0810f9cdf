"""Storage of the lake's own: XRootD over WebDAV on a volume, for whoever holds the right token.

What is set here was measured with XRootD 5.5 behind an Ingress and Keycloak's tokens (docs/data-lake.md):
plain HTTP behind the Ingress, but third-party copies work only in a server that has a certificate; a token
needs `nbf` and `wlcg.ver`; who is no holder of a scope is looked up by `sub` and by group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vre_operator.api.lake_storage import LakeStorage
from vre_operator.components import claims, ids, policies, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.rucio.pods import NOBODY, RUN_DIRECTORY, Files, preparation
from vre_operator.components.workloads import Body, claim_volume, config_volume, mount, scratch, selector
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Resource, ResourceId

_DIRECTORY = "/etc/vre/xrootd"
# Where programs look for authorities that cannot be told: in Debian's images and in Red Hat's.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem")
_WORD = re.compile(r"[A-Za-z0-9_.:/@+-]+")
# Served to everybody: what answers it is the web server itself.
_ALIVE = "/static/css/xrdhttp.css"


def render(env: Environment, component: str, files: Files) -> Iterator[Resource]:
    """All storages. files: what all pods of Rucio have in common."""
    for index, wish in enumerate(env.spec.data_lake.storage):
        yield from _storage(env, component, files, wish, f"spec.dataLake.storage[{index}]")


def _storage(
    env: Environment, component: str, files: Files, wish: LakeStorage, origin: str
) -> Iterator[Resource]:
    name = ids.storage(wish.name)
    claim = claims.claim(
        component,
        kube("v1/PersistentVolumeClaim", env.namespace, name),
        wish.size,
        storage_class=wish.storage_class,
        origin=origin,
    )
    settings = Resource(
        id=kube("v1/ConfigMap", env.namespace, name),
        component=component,
        body={"data": _settings(env, wish)},
        origin=origin,
    )
    wall = policies.policy(
        env,
        component,
        name,
        selects=selector(env, name),
        ingress=[policies.accept(policies.front_door(env), ids.STORAGE_PORT)],
        # Copies are fetched from other storages, and tokens checked with the provider's keys.
        egress=[policies.storage(), *policies.issuer(env)],
    )
    service = workloads.service(env, component, name, {"http": (80, ids.STORAGE_PORT)})
    yield from (claim, settings, wall, service)
    yield workloads.stateful_set(
        env,
        component,
        name,
        _template(env, component, wish, files.scripts),
        needs={settings.id, files.scripts, wall.id, service.id} | claim.needs | workloads.ca_needs(env),
        origin=origin,
    )


def _settings(env: Environment, wish: LakeStorage) -> dict[str, str | Ref]:
    path = ids.storage_path(env, wish.name)
    server = [
        f"all.export {path.rstrip('/')}",
        "oss.localroot /data",
        f"all.adminpath {RUN_DIRECTORY}/admin",
        f"all.pidpath {RUN_DIRECTORY}/admin",
        "xrd.port 1094",
        "xrd.network nodnr",
        f"xrd.protocol http:{ids.STORAGE_PORT} libXrdHttp.so",
        f"xrd.tls {RUN_DIRECTORY}/certificate.pem",
        f"xrd.tlsca certfile {RUN_DIRECTORY}/ca.pem",
        "http.exthandler xrdtpc libXrdHttpTPC.so",
        "http.header2cgi Authorization authz",
        "http.listingdeny yes",
        "xrootd.chksum max 2 adler32 md5",
        "ofs.authorize 1",
        f"ofs.authlib ++ libXrdAccSciTokens.so config={_DIRECTORY}/scitokens.cfg",
        f"acc.authdb {_DIRECTORY}/authdb",
        "acc.authrefresh 60",
    ]
    tokens = [
        "[Global]",
        f"audience = {wish.hostname}",
        "",
        "[Issuer tenant]",
        f"issuer = {env.spec.identity.issuer}",
        "base_path = /",
        f"name_mapfile = {_DIRECTORY}/people.json",
    ]
    return {
        "xrootd.cfg": "\n".join(server) + "\n",
        "scitokens.cfg": "\n".join(tokens) + "\n",
        "authdb": "\n".join(_rights(env, path)) + "\n",
        "people.json": Ref(ids.people(env), "storage") if ids.people_wanted(env) else "[]",
    }


def _rights(env: Environment, path: str) -> Iterator[str]:
    """For who has no scope of the storage: each person's own Rucio scope, and reading what services own.

    Rucio keeps user.alice below user/alice, and other scopes by their names.
    """
    yield f"u = {path}user/@=/ a"
    # The file is words and lines: a group of any other name has no rights here.
    groups = [group for group in env.spec.identity.allowed_groups if _WORD.fullmatch(group)]
    scopes = sorted({scope for account in env.spec.data_lake.accounts for scope in account.scopes})
    for group in groups:
        if shared := " ".join(f"{path}{_directory(scope)}/ rl" for scope in scopes):
            yield f"g {group} {shared}"


def _directory(scope: str) -> str:
    return scope.replace(".", "/") if scope.startswith(("user", "group")) else scope


def _template(env: Environment, component: str, wish: LakeStorage, scripts: ResourceId) -> Body:
    name = ids.storage(wish.name)
    alive: Body = {"httpGet": {"path": _ALIVE, "port": ids.STORAGE_PORT}, "timeoutSeconds": 10}
    container = workloads.container(
        env,
        "xrootd",
        env.site.images.xrootd,
        cpu=("50m", "2"),
        memory=("128Mi", "2Gi"),
        command=["xrootd", "-c", f"{_DIRECTORY}/xrootd.cfg", "-n", "storage"],
        environment={"HOME": "/tmp"},  # noqa: S108
        ports={"http": ids.STORAGE_PORT},
        mounts=[
            mount("data", "/data", writable=True),
            mount("settings", _DIRECTORY),
            mount("run", RUN_DIRECTORY, writable=True),
            mount("tmp", "/tmp", writable=True),  # noqa: S108
            # The library that checks tokens trusts whom the image trusts, and cannot be told otherwise.
            *(mount("run", bundle) | {"subPath": "ca.pem"} for bundle in _BUNDLES),
        ],
        startupProbe=alive | {"periodSeconds": 2, "failureThreshold": 150},
        readinessProbe=alive | {"periodSeconds": 10},
        livenessProbe=alive | {"periodSeconds": 30, "failureThreshold": 6},
    )
    # Rights and people are read again by the server itself: no change of theirs restarts it.
    return workloads.pod(
        env,
        component,
        name,
        [container],
        init=[preparation(env, "--certificate")],
        user=NOBODY,
        volumes=[
            claim_volume("data", kube("v1/PersistentVolumeClaim", env.namespace, name)),
            config_volume("settings", kube("v1/ConfigMap", env.namespace, name)),
            config_volume("scripts", scripts),
            scratch("run", "64Mi"),
            scratch("tmp", "1Gi"),
            *workloads.ca_volumes(env),
        ],
        grace_seconds=60,
    )
