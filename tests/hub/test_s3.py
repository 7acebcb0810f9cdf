"""The rendered profiles, as the real boto3 reads them: endpoint, region, way of addressing, credentials.

No S3 service runs here: what answers is a stand-in that checks each signature by Amazon's own description.
Source: "Signature Version 4 for API requests", AWS Identity and Access Management User Guide.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dev.oidc.tls import write_certificates
from tests import software
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components.hub import s3

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KEY, SECRET = "AKIA0TEST", 'se/cr+et="quo\\ted"'
ANSWER = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>images</Name>'
    b"<KeyCount>1</KeyCount><Contents><Key>m31.fits</Key><Size>7</Size></Contents></ListBucketResult>"
)
# Not every machine knows that all names below localhost are itself.
PROGRAM = """
import boto3, socket, sys
known = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: known("127.0.0.1", *rest, **more)
session = boto3.Session(profile_name=sys.argv[1]) if sys.argv[1:] else boto3.Session()
found = session.client("s3").list_objects_v2(Bucket="images")
print(*(one["Key"] for one in found["Contents"]))
"""


class Service(ThreadingHTTPServer):
    """asked: (Host, path, credential scope, whether the signature is right) of each request."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, str, bool]] = []
        authority = write_certificates(folder, ("localhost", "images.localhost"))
        (folder / "ca.crt").write_text(authority)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.socket = tls.wrap_socket(self.socket, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(.+?), SignedHeaders=(.+?), Signature=(.+)",
            self.headers["Authorization"],
        )
        assert found
        scope, names, signature = found.groups()
        headers = {name: self.headers[name] for name in names.split(";")}
        right = signature == signed("GET", path, query, headers, scope)
        self.server.asked.append((self.headers["Host"], path, scope, right))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def signed(method: str, path: str, query: str, headers: Mapping[str, str], scope: str) -> str:
    """What the signature has to be."""
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in headers.items())
    ordered = "&".join(sorted(query.split("&")))
    canonical = "\n".join([method, path, ordered, lines, ";".join(headers), headers["x-amz-content-sha256"]])
    place = scope.partition("/")[2]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], place, digest])
    key = f"AWS4{SECRET}".encode()
    for part in (*place.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()


def test_boto3_needs_nothing_but_the_profile(service: Service, tmp_path: Path) -> None:
    address = f"https://localhost:{service.server_address[1]}"
    entries = [
        {"name": "survey", "endpoint": address, "credentialsSecret": {"name": "keys"}},
        {
            "name": "depths",
            "endpoint": address,
            "region": "depths",
            "pathStyle": False,
            "credentialsSecret": {"name": "keys"},
        },
    ]
    rendered = {one.id.name: one for one in s3.render(environment(QUICKSTART | {"storage": {"s3": entries}}))}
    values = {"keys/AWS_ACCESS_KEY_ID": KEY, "keys/AWS_SECRET_ACCESS_KEY": SECRET}
    for name, resource in rendered.items():
        if name.startswith("s3-"):
            software.write(tmp_path / name, software.content(resource, values))
    config = software.content(rendered["s3"], {})["config"]
    for profile, secret in zip(("survey", "depths"), (n for n in rendered if n.startswith("s3-")), strict=True):
        config = config.replace(f"/etc/vre/s3-credentials/{profile}", str(tmp_path / secret))
    (tmp_path / "config").write_text(config)

    def listed(*profile: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_PROFILE": "survey"}
        env |= {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_CA_BUNDLE": str(tmp_path / "ca.crt")}
        command = [str(software.environment("rucio") / "python"), "-c", PROGRAM, *profile]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert listed() == listed("depths") == "m31.fits"
    host = address.removeprefix("https://")
    (plain, path, scope, right), (virtual, root, scope_of_depths, right_as_well) = service.asked
    assert (plain, path, right) == (host, "/images", True)
    assert scope.startswith(f"{KEY}/")
    assert scope.endswith("/us-east-1/s3/aws4_request")
    assert (virtual, root, right_as_well) == (f"images.{host}", "/", True)
    assert scope_of_depths.endswith("/depths/s3/aws4_request")
