"""The server: Rucio's REST API, and who may do what there.

Sources: contracts/rucio.md section 2; core/permission/__init__.py of Rucio 41 for the policy package, of which
nothing but permissions has to be there. Only servers ask for permissions.
"""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.package import data_file
from vre_operator.components.rucio import config
from vre_operator.components.rucio.fts import Certified
from vre_operator.components.rucio.pods import (
    CAPABILITIES,
    ROOT_USER,
    SCRIPT_DIRECTORY,
    Files,
    Provider,
    policy,
)
from vre_operator.components.workloads import Body, config_volume, mount
from vre_operator.engine.resources import Resource, ResourceId

# Path instead of request line: tokens and codes travel in queries. The image's default logs the token header.
LOG_FORMAT = "%h %t %m %U %>s %b %D %{X-Rucio-RequestId}i"

TIMEOUT = 300
"""Seconds of silence after which the web server gives Rucio up, by default a minute: the distances of 300 RSEs
take as long, and longer where Rucio is busy."""

PERMISSIONS = "rucio-permissions"
_FILE = "permission.py"
_PACKAGE = "vre_policy"
_POLICY_DIRECTORY = "/etc/vre/policy"
# The web server's Python reads PYTHONPATH, too: Rucio's own charts bring packages along so.
PERMISSIONS_ENVIRONMENT = {"RUCIO_POLICY_PACKAGE": _PACKAGE, "PYTHONPATH": _POLICY_DIRECTORY}


def _permissions(env: Environment, component: str) -> list[Resource]:
    """Nothing where the tenant has a package of its own."""
    if env.spec.data_lake.policy_package:
        return []
    text = data_file("vre_operator.components.rucio", _FILE)
    where = kube("v1/ConfigMap", env.namespace, PERMISSIONS)
    return [Resource(id=where, component=component, body={"data": {_FILE: text}})]


def _volume(rules: Resource) -> Body:
    volume = config_volume("policy", rules.id)
    volume["configMap"]["items"] = [{"key": _FILE, "path": f"{_PACKAGE}/{_FILE}"}]
    return volume


def render(env: Environment, component: str, files: Files, needs: set[ResourceId]) -> Iterator[Resource]:
    """What its pods read, then the Deployment."""
    provider, certified, rules = Provider(env), Certified(env), _permissions(env, component)
    yield from rules
    policy_mounts = [mount("policy", _POLICY_DIRECTORY)] if rules else []
    ping: Body = {"httpGet": {"path": "/ping", "port": 80}, "timeoutSeconds": 10}
    container = workloads.container(
        env,
        "server",
        env.site.images.rucio_server,
        cpu=("100m", "2"),
        memory=("512Mi", "1536Mi"),
        environment={
            "RUCIO_LOG_FORMAT": LOG_FORMAT,
            "RUCIO_WSGI_DAEMON_PROCESSES": str(config.PROCESSES),
            "RUCIO_WSGI_DAEMON_THREADS": str(config.THREADS),
            "RUCIO_HTTPD_TIMEOUT": str(TIMEOUT),
            **(PERMISSIONS_ENVIRONMENT if rules else policy(env)),
            **provider.environment,
        },
        ports={"http": 80},
        mounts=[*files.mounts, *provider.mounts, *certified.mounts, *policy_mounts],
        read_only=False,
        capabilities=CAPABILITIES,
        # The application loads with the first request, on a busy node in most of a minute.
        startupProbe=ping | {"periodSeconds": 2, "failureThreshold": 150},
        readinessProbe={
            "exec": {"command": ["python3", f"{SCRIPT_DIRECTORY}/ready.py"]},
            "periodSeconds": 10,
            "timeoutSeconds": 15,
            "failureThreshold": 2,
        },
        # Without its database the server is not ready, but a restart would not help it.
        livenessProbe=ping | {"periodSeconds": 20, "failureThreshold": 6},
    )
    template = workloads.pod(
        env,
        component,
        ids.RUCIO,
        [container],
        init=provider.init,
        user=ROOT_USER,
        volumes=[*files.volumes, *provider.volumes, *certified.volumes, *map(_volume, rules)],
        config=[files.configuration, *provider.config, *(one.id for one in rules)],
    )
    yield workloads.deployment(
        env,
        component,
        ids.RUCIO,
        template,
        rolling=True,
        needs=needs | provider.needs | {one.id for one in rules},
        origin="spec.dataLake",
    )
