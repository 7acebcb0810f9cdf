"""REANA's own pages: static files, which ask `/api` at the same hostname."""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.package import config_map
from vre_operator.components.policies import accept
from vre_operator.components.workloads import Body, User, config_volume, mount, scratch, selector
from vre_operator.engine.resources import Resource, ResourceId

# As nginx in the official image.
_USER = User(uid=101, gid=101)
_ETC = "/etc/vre/ui"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline' https://fonts.googleapis.com;"
        " img-src 'self' data: https:; font-src 'self' data: https://fonts.gstatic.com; connect-src 'self';"
        " frame-ancestors 'none'; object-src 'self'; base-uri 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ADDED = "\n".join(f'    add_header {name} "{value}" always;' for name, value in _HEADERS.items())
# Of nobody but the user above, and with a root that is read-only: the image's own would listen on 80 as root.
# Any path may be one of the pages; the file that answers for them is asked for again each time, or a browser
# would show it in the place of a session that is there by now.
_NGINX = f"""\
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events {{ worker_connections 512; }}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  server_tokens off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {{
    listen {ids.REANA_UI_PORT};
    root /usr/share/nginx/html;
    index index.html;
    gzip_static on;
{_ADDED}
    location / {{ try_files $uri /index.html; }}
    location = /index.html {{ expires -1; }}
  }}
}}
"""


def render(env: Environment, component: str) -> Iterator[Resource]:
    """Nothing where the site has no image of them."""
    if ids.reana_pages(env) is None:
        return
    files = {"nginx.conf": _NGINX}
    config = config_map(env, component, ids.REANA_UI, files, namespace=env.workflows, origin="spec.workflows")
    wall = policies.policy(
        env,
        component,
        ids.REANA_UI,
        selects=selector(env, ids.REANA_UI),
        ingress=[accept(policies.front_door(env), ids.REANA_UI_PORT)],
        namespace=env.workflows,
    )
    yield from (config, wall)
    yield workloads.service(
        env, component, ids.REANA_UI, {"http": (80, ids.REANA_UI_PORT)}, namespace=env.workflows
    )
    template = workloads.pod(
        env,
        component,
        ids.REANA_UI,
        [_container(env)],
        user=_USER,
        volumes=[config_volume("config", config.id), scratch("tmp", "64Mi")],
        config=[config.id],
        grace_seconds=5,
    )
    needs: set[ResourceId] = {config.id, wall.id}
    yield workloads.deployment(
        env,
        component,
        ids.REANA_UI,
        template,
        rolling=True,
        needs=needs,
        origin="spec.workflows",
        namespace=env.workflows,
    )


def _container(env: Environment) -> Body:
    alive: Body = {"httpGet": {"path": "/", "port": ids.REANA_UI_PORT}, "timeoutSeconds": 5}
    return workloads.container(
        env,
        "ui",
        ids.reana_images(env).ui,
        cpu=("5m", "500m"),
        memory=("16Mi", "128Mi"),
        command=["nginx", "-c", f"{_ETC}/nginx.conf", "-g", "daemon off;"],
        ports={"http": ids.REANA_UI_PORT},
        mounts=[mount("config", _ETC), mount("tmp", "/tmp", writable=True)],  # noqa: S108
        readinessProbe=alive | {"periodSeconds": 10},
        livenessProbe=alive | {"periodSeconds": 30, "failureThreshold": 6},
    )
