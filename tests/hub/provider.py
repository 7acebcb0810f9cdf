"""The three endpoints of an identity provider that the hub uses. Who logs in next is set by the test."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Provider(ThreadingHTTPServer):
    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.person: dict[str, object] = {}
        self.challenge = ""
        # Seconds for which access tokens are good; 0: tokens that tell nothing. refreshes: how many there were.
        # ended: the login is over, and no token of it is good any more.
        self.lifetime = 0.0
        self.refreshes = 0
        self.ended = False

    def token(self) -> str:
        """An access token; the hub does not look at its signature."""
        if not self.lifetime:
            return "t"
        claims = json.dumps({"exp": time.time() + self.lifetime, "jti": self.refreshes}).encode()
        return f"h.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        # The hub's userinfo call; a person's browser is played by the test itself.
        self._answer(
            {"error": "invalid_token"} if self.server.ended else self.server.person, not self.server.ended
        )

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        verifier = form.get("code_verifier", [""])[0].encode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        good = form["client_secret"] == ["client-secret"]
        if form.get("grant_type") == ["refresh_token"]:
            good = good and form["refresh_token"] == ["r"] and not self.server.ended
            self.server.refreshes += 1
        else:
            good = good and proof == self.server.challenge
        tokens = {"access_token": self.server.token(), "refresh_token": "r", "token_type": "Bearer"}
        self._answer(tokens if good else {"error": "bad"}, good)

    def _answer(self, data: Mapping[str, object], good: bool = True) -> None:
        body = json.dumps(data).encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def running(directory: Path) -> Iterator[Provider]:
    """With a certificate of its own, which only those trust who are given `directory`/provider.crt."""
    certificate, key = directory / "provider.crt", directory / "provider.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=provider",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    with Provider(certificate, key) as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        try:
            yield provider
        finally:
            provider.shutdown()


def query(url: str) -> dict[str, str]:
    """The parameters of a redirect's target."""
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
