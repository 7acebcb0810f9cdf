"""A real registry: Debian's docker-registry on loopback with TLS, and who makes its tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from dev import system
from dev.oidc.tls import write_certificates
from dev.ports import free_port

USER, PASSWORD = "robot$puller", "open sesame"
# Of that password, by bcrypt with few rounds.
_HASH = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"
_SERVICE, _ISSUER = "registry-of-tests", "token-maker-of-tests"
_START_SECONDS = 60
_HEAD = re.compile(r'"HEAD /v2/(.+)/manifests/')
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass
class Registry:
    """One registry. auth: "", "htpasswd" or "token"."""

    folder: Path
    auth: str = ""
    port: int = field(default_factory=free_port)
    ca: str = ""
    process: Any = None
    tokens: TokenMaker | None = None

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def image(self, name: str) -> str:
        return f"{self.host}/{name}"

    def config_json(self, password: str = PASSWORD, *, host: str = "") -> str:
        """What a pull Secret holds."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return json.dumps({"auths": {host or self.host: {"auth": auth}}})

    def push(self, repository: str, tag: str, content: str, **more: Any) -> str:
        """An image that nobody can start, of one small file; its digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "content": content}).encode()
        blob = f"sha256:{hashlib.sha256(config).hexdigest()}"
        status, headers = self._ask("POST", f"/v2/{repository}/blobs/uploads/", repository)
        assert status == 202, status
        place = headers["Location"]
        path = urlsplit(place)
        query = f"{path.query}&digest={blob}" if path.query else f"digest={blob}"
        status, _ = self._ask("PUT", f"{path.path}?{query}", repository, config, "application/octet-stream")
        assert status == 201, status
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": blob, "size": len(config)},
            "layers": [],
            **more,
        }
        raw = json.dumps(manifest).encode()
        status, headers = self._ask("PUT", f"/v2/{repository}/manifests/{tag}", repository, raw, _MANIFEST)
        assert status == 201, status
        return str(headers["Docker-Content-Digest"])

    def remove(self, repository: str, digest: str) -> None:
        status, _ = self._ask("DELETE", f"/v2/{repository}/manifests/{digest}", repository)
        assert status == 202, status

    def asked(self, method: str, path: str = "/v2/") -> int:
        """How many requests of others than these tests' own pushes came, by the access log."""
        lines = (self.folder / "registry.log").read_text().splitlines()
        return sum(f'"{method} {path}' in line and "Python-urllib" not in line for line in lines)

    def heads(self) -> Counter[str]:
        """How often each repository was asked for by others than these tests."""
        found: Counter[str] = Counter()
        for line in (self.folder / "registry.log").read_text().splitlines():
            if "Python-urllib" not in line and (asked := _HEAD.search(line)):
                found[asked[1]] += 1
        return found

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It takes connections and says nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _ask(
        self, method: str, path: str, repository: str, body: bytes = b"", kind: str = ""
    ) -> tuple[int, Any]:
        headers = {"Content-Type": kind} if kind else {}
        if self.auth == "htpasswd":
            headers["Authorization"] = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.tokens:
            token = self.tokens.token(repository, ["pull", "push", "delete"])
            headers["Authorization"] = f"Bearer {token}"
        url = f"https://{self.host}{path}"
        request = urllib.request.Request(url, body or None, headers, method=method)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=self.ca)),
        )
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.headers


@contextmanager
def running(folder: Path, auth: str = "") -> Iterator[Registry]:
    """Until the block ends. folder: an empty one, for all that it keeps."""
    system.ensure("docker-registry")
    registry = Registry(folder, auth)
    registry.ca = write_certificates(folder, ("localhost",), f"registry test CA {registry.port}")
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {
            "addr": f"127.0.0.1:{registry.port}",
            "secret": "of these tests",
            "tls": {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")},
        },
    }
    if auth == "htpasswd":
        (folder / "htpasswd").write_text(f"{USER}:{_HASH}\n")
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    if auth == "token":
        registry.tokens = TokenMaker(folder)
        settings["auth"] = {
            "token": {
                "realm": f"https://localhost:{registry.tokens.port}/token",
                "service": _SERVICE,
                "issuer": _ISSUER,
                "rootcertbundle": str(folder / "token.crt"),
            }
        }
    (folder / "config.yml").write_text(yaml.safe_dump(settings))
    with (folder / "registry.log").open("wb") as log:
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        registry.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        _wait(registry)
        yield registry
    finally:
        registry.process.kill()
        registry.process.wait()
        if registry.tokens:
            registry.tokens.end()


def _wait(registry: Registry) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with suppress(urllib.error.HTTPError, OSError):
            registry._ask("GET", "/v2/", "")
            return
        log = (registry.folder / "registry.log").read_text()
        assert registry.process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.1)


class TokenMaker:
    """distribution's token specification, for one user; others get tokens for what is public: nothing.

    asked: the queries that came. life: seconds.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.life = 300
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(self._key)
        pem = self._certificate.public_bytes(serialization.Encoding.PEM)
        (folder / "token.crt").write_bytes(pem)
        maker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                maker.asked.append(query)
                status, answer = maker.answer(query, self.headers.get("Authorization", ""))
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, query: dict[str, list[str]], authorization: str) -> tuple[int, dict[str, Any]]:
        known = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if authorization not in ("", known):
            return 401, {"errors": [{"code": "UNAUTHORIZED"}]}
        (scope,) = query["scope"]
        _, repository, actions = scope.split(":")
        granted = actions.split(",") if authorization else []
        return 200, {"token": self.token(repository, granted), "expires_in": self.life}

    def token(self, repository: str, actions: list[str]) -> str:
        now = int(time.time())
        chain = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()
        head = {"alg": "ES256", "typ": "JWT", "x5c": [chain]}
        access = [{"type": "repository", "name": repository, "actions": actions}] if actions else []
        body: dict[str, Any] = {
            "iss": _ISSUER,
            "aud": _SERVICE,
            "sub": USER,
            "access": access,
            "jti": str(time.monotonic_ns()),
        }
        body |= {"iat": now, "nbf": now - 10, "exp": now + self.life}
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(body).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _ISSUER)])
    now, day = datetime.now(UTC), timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
