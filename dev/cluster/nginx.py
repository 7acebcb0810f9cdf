"""The Ingress proxy's configuration, as text made from sites."""

from dataclasses import dataclass
from pathlib import Path

from dev.cluster.layout import Layout
from dev.system import find


@dataclass(frozen=True)
class Location:
    """One path of a site and the Service behind it."""

    path: str
    exact: bool
    backend: str
    """Address and port; empty when there is no such Service."""


@dataclass(frozen=True)
class Site:
    """Everything served under one host name; the empty name takes every other host."""

    host: str
    locations: tuple[Location, ...]
    certificate: Path
    """Path without suffix of the .crt and .key files."""
    plain_http: bool = False
    """Serve http as it is instead of sending the client to https."""


def config_file(layout: Layout) -> Path:
    """Give the file that nginx reads."""
    return layout.config / "nginx.conf"


def command(layout: Layout, *more: str) -> list[str]:
    """Give the command that runs nginx, or with ``-t`` or ``-s reload`` checks or tells it."""
    return [str(find("nginx")), "-e", "stderr", "-c", str(config_file(layout)), *more]


def render(layout: Layout, sites: list[Site]) -> str:
    """Write the whole configuration."""
    if not any(site.host == "" for site in sites):
        sites = [Site("", (), default_certificate(layout)), *sites]
    servers = "".join(_servers(layout, site) for site in sites)
    return _HEAD.format(log=layout.logs / "nginx-access.log") + servers + "}\n"


def default_certificate(layout: Layout) -> Path:
    """Give the wildcard certificate of the development domain."""
    return layout.pki / "ingress"


def _servers(layout: Layout, site: Site) -> str:
    names = f"server_name {_quoted(site.host)};" if site.host else ""
    default = "" if site.host else " default_server"
    body = "".join(_location(location) for location in site.locations)
    if not any(location.path == "/" and not location.exact for location in site.locations):
        body += "    location / { return 404; }\n"
    plain = body if site.plain_http else "    location / { return 308 https://$host$request_uri; }\n"
    tls = f"    ssl_certificate {site.certificate}.crt;\n    ssl_certificate_key {site.certificate}.key;\n"
    return (
        f"server {{\n    listen {layout.node_ip}:80{default}; {names}\n{plain}}}\n"
        f"server {{\n    listen {layout.node_ip}:443 ssl{default}; {names}\n{tls}{body}}}\n"
    )


def _location(location: Location) -> str:
    # Without a URI after the address nginx passes the client's bytes on, %2F included.
    action = f"proxy_pass http://{location.backend};" if location.backend else "return 503;"
    path = location.path.rstrip("/")
    if location.exact:
        matches = [f"= {_quoted(location.path)}"]
    elif path:
        matches = [f"= {_quoted(path)}", _quoted(f"{path}/")]
    else:
        matches = ["/"]
    return "".join(f"    location {match} {{ {action} }}\n" for match in matches)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_HEAD = """\
daemon off;
user nobody nogroup;
worker_processes 1;
pid /run/nginx.pid;
events {{ worker_connections 1024; }}
http {{
access_log {log};
server_tokens off;
server_names_hash_bucket_size 256;
client_body_temp_path /run/nginx-body;
proxy_temp_path /run/nginx-proxy;
fastcgi_temp_path /run/nginx-fastcgi;
uwsgi_temp_path /run/nginx-uwsgi;
scgi_temp_path /run/nginx-scgi;
client_max_body_size 0;
client_header_buffer_size 32k;
large_client_header_buffers 8 32k;
proxy_buffer_size 32k;
proxy_buffers 8 32k;
proxy_buffering off;
proxy_request_buffering off;
proxy_http_version 1.1;
# WebSockets of notebooks are quiet for as long as nobody types.
proxy_read_timeout 3600s;
proxy_send_timeout 3600s;
map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
proxy_set_header Host $http_host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Host $http_host;
proxy_set_header X-Forwarded-Port $server_port;
proxy_set_header X-Forwarded-Proto $scheme;
"""
