"""The Ingress proxy passes on what notebooks need, proved with a server of the test's own behind it."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dev.cluster import Cluster
from tests.devcluster.support import eventually, get, ingress, kubectl, service, tls

pytestmark = pytest.mark.e2e

HOST = "echo.vre.localhost"


class Echo(BaseHTTPRequestHandler):
    """Answers with the request it got, or speaks back on an upgraded connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(b"echo " + self.rfile.readline())
            self.close_connection = True
            return
        body = json.dumps({"path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "large=" + "x" * 20000)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def echo(cluster: Cluster) -> Iterator[Cluster]:
    """A Service whose only endpoint is a server in this process."""
    with ThreadingHTTPServer((cluster.host_ip, 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        endpoints = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "echo", "labels": {"kubernetes.io/service-name": "echo"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": [cluster.host_ip]}],
        }
        objects = [service("echo", port, None), endpoints, ingress("echo", {"/": "echo", "/gone": "absent"})]
        kubectl(cluster, "apply", "-f", "-", apply=objects)
        assert eventually(lambda: get(cluster, HOST)[0], 200)
        yield cluster
        server.shutdown()


def test_the_server_learns_how_it_was_asked(echo: Cluster) -> None:
    status, body = get(echo, HOST, "/user/a%2Fb//c?d=%20e")
    seen = json.loads(body)
    assert status == 200
    assert seen["path"] == "/user/a%2Fb//c?d=%20e"
    assert seen["headers"]["Host"] == HOST
    assert seen["headers"]["X-Forwarded-Host"] == HOST
    assert seen["headers"]["X-Forwarded-Proto"] == "https"
    assert seen["headers"]["X-Forwarded-For"] == echo.host_ip


def test_a_missing_service_is_told_as_such(echo: Cluster) -> None:
    assert get(echo, HOST, "/gone/x")[0] == 503
    assert get(echo, HOST, "/goner")[0] == 200


def test_websockets_pass(echo: Cluster) -> None:
    request = f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with tls(echo, HOST) as connection:
        connection.sendall(request.encode())
        head = _read_until(connection, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"ping\n")
        assert _read_until(connection, b"\n") == b"echo ping\n"


def _read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        part = connection.recv(1)
        assert part, f"closed after {received!r}"
        received += part
    return received
