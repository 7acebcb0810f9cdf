"""A small web server of static files and one JSON document, beside the hub and not behind it.

So it tells of a hub that is down. It runs in the hub's image, for the Python and the Tornado in there, and asks
the services how they are only while somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.package import config_map, data_file, json_file
from vre_operator.components.policies import accept, pods, reach
from vre_operator.components.workloads import Body, User, mount
from vre_operator.engine.resources import Resource

COMPONENT = "page"
FILES = ("page.py", "index.html", "page.css", "page.js", "logo.svg")
ROOT = "/etc/vre/page"
_USER = User(uid=65534, gid=65534)


def render(env: Environment) -> Iterable[Resource]:
    """Nothing when the tenant wants none, or has nothing that it could tell of."""
    if not ids.page_wanted(env):
        return
    package = "vre_operator.components.page"
    files = config_map(
        env, COMPONENT, "page-files", {name: data_file(package, name) for name in FILES}, origin="spec.page"
    )
    told = config_map(env, COMPONENT, "page", {"page.json": document(env)}, origin="spec.page")
    wall = _wall(env)
    yield from (files, told, wall)
    yield workloads.service(env, COMPONENT, ids.PAGE, {"http": (80, ids.PAGE_PORT)})
    template = workloads.pod(
        env,
        COMPONENT,
        ids.PAGE,
        [_container(env)],
        user=_USER,
        volumes=[workloads.config_volume("files", files.id), workloads.config_volume("told", told.id)],
        config=[files.id],
        grace_seconds=5,
    )
    yield workloads.deployment(
        env, COMPONENT, ids.PAGE, template, rolling=True, needs={files.id, told.id, wall.id}, origin="spec.page"
    )


def document(env: Environment) -> str:
    """page.json: what the page tells. `probe` and `host` are for the server alone."""
    page = env.spec.page
    told = {
        "title": page.title or env.tenant.name,
        "description": page.description,
        "logo": page.logo or "",
        "message": page.message,
        "links": [{"title": link.title, "url": link.url} for link in page.links],
        "services": _services(env),
    }
    return json_file(told)


def _services(env: Environment) -> list[dict[str, Any]]:
    services: list[dict[str, Any]] = []
    if env.spec.notebooks.enabled:
        probe = f"http://{env.service_host(ids.proxy_service(env).name)}/hub/health"
        services.append({"name": "Notebooks", "url": "/hub/", "probe": probe})
    lake = env.spec.data_lake
    if ids.own_lake(env):
        address = f"https://{lake.hostname}" if lake.hostname else ""
        probe = f"http://{env.service_host(ids.RUCIO)}/ping"
        services.append({"name": "Data lake (Rucio)", "address": address, "probe": probe})
    elif lake.attach:
        services.append({"name": "Data lake (Rucio)", "address": lake.attach.url})
    workflows = env.spec.workflows
    if workflows.enabled:
        address = f"https://{workflows.hostname}"
        services.append(
            {
                "name": "Workflows (REANA)",
                "address": address,
                **({"url": address} if ids.reana_pages(env) else {}),
                "probe": f"http://{env.service_host(ids.REANA_SERVER, env.workflows)}/api/ping",
                # It answers nobody who comes by another name.
                "host": workflows.hostname,
            }
        )
    return services


def _wall(env: Environment) -> Resource:
    """People come in; it asks the services how they are."""
    asked = []
    if env.spec.notebooks.enabled:
        asked.append(reach([pods(env, ids.PROXY)], 8000))
    if ids.own_lake(env):
        asked.append(reach([pods(env, ids.RUCIO)], 80))
    if env.spec.workflows.enabled:
        asked.append(reach([pods(env, ids.REANA_SERVER, env.workflows)], ids.REANA_PORT))
    return policies.policy(
        env,
        COMPONENT,
        ids.PAGE,
        selects=workloads.selector(env, ids.PAGE),
        ingress=[accept(policies.front_door(env), ids.PAGE_PORT)],
        egress=asked,
    )


def _container(env: Environment) -> Body:
    alive: Body = {"httpGet": {"path": "/page/healthz", "port": ids.PAGE_PORT}, "timeoutSeconds": 5}
    return workloads.container(
        env,
        "page",
        env.site.images.hub,
        cpu=("5m", "500m"),
        memory=("48Mi", "128Mi"),
        # Nothing of an image's own entry point, and no compiled files beside a program that is read-only.
        command=["python3", "-B", f"{ROOT}/files/page.py", f"{ROOT}/files", f"{ROOT}/told/page.json"],
        environment={"PYTHONUNBUFFERED": "1", "VRE_PAGE_PORT": str(ids.PAGE_PORT)},
        ports={"http": ids.PAGE_PORT},
        mounts=[mount("files", f"{ROOT}/files"), mount("told", f"{ROOT}/told")],
        startupProbe=alive | {"periodSeconds": 1, "failureThreshold": 300},
        readinessProbe=alive | {"periodSeconds": 10},
        livenessProbe=alive | {"periodSeconds": 30, "failureThreshold": 6},
    )
