"""What the grid's own VOMS library reads in our proxies. It reads: whose attributes they are it does not ask.

A server of a virtual organisation in Debian answers no REST (vomsd 2.1.0~rc3 closes the connection), so the
attributes come from the same package's tool that signs them as a server does.
"""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from dev import system
from tests.fts.authority import Authority
from tests.fts.server import asking
from vre_operator.targets.fts import proxies

ROLE = "/survey/Role=production"
_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5")


class Organisation:
    """A directory with a user, a VOMS server's certificate, and whom the library trusts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority()
        self.robot = self.authority.robot()
        self._write("usercert.pem", self.robot[0])
        self._write("userkey.pem", self.robot[1])
        for name, text in zip(("hostcert.pem", "hostkey.pem"), self.authority.host("localhost"), strict=True):
            self._write(name, text)
        self._write("ca.pem", self.authority.pem)
        (hashed,) = self._run("openssl", "x509", "-in", "ca.pem", "-noout", "-hash").split()
        self._write(f"certificates/{hashed}.0", self.authority.pem)
        self._write("voms/survey/localhost.lsc", "/CN=localhost\n/DC=example/CN=Grid CA\n")

    def attributes(self, hours: int) -> bytes:
        """An attribute certificate, DER."""
        names = {"cert": "usercert", "key": "userkey", "hostcert": "hostcert", "hostkey": "hostkey"}
        files = [word for option, name in names.items() for word in (f"-{option}", f"{name}.pem")]
        said = ["-voms", "survey", "-fqan", ROLE, "-uri", "localhost:15000", "-vomslife", str(hours)]
        self._run("voms-proxy-fake", *files, "-certdir", "certificates", *said, "-rfc", "-out", "theirs")
        (theirs, *_) = x509.load_pem_x509_certificates((self.directory / "theirs").read_bytes())
        packed = theirs.extensions.get_extension_for_oid(_EXTENSION).value.public_bytes()
        return _content(_content(packed))

    def read(self, proxy: bytes) -> dict[str, str]:
        """What the library finds in a proxy."""
        self._write("ours", proxy.decode())
        lines = self._run("voms-proxy-info", "-all", "-file", "ours").splitlines()
        return {key.strip(): value.strip() for key, _, value in (line.partition(" : ") for line in lines)}

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def _run(self, *command: str) -> str:
        trust = {"X509_CERT_DIR": "certificates", "X509_VOMS_DIR": "voms", "HOME": str(self.directory)}
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**os.environ, **trust},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _content(der: bytes) -> bytes:
    """Of a sequence in DER."""
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    system.ensure("voms-proxy-fake")
    return Organisation(tmp_path_factory.mktemp("voms"))


def test_it_finds_the_attributes_in_our_proxy(organisation: Organisation) -> None:
    now = datetime.now(UTC)
    attributes = organisation.attributes(12)
    ends = proxies.attributes_expire(attributes)
    assert abs(ends - now - timedelta(hours=12)) < timedelta(minutes=10)
    credential = proxies.load(*organisation.robot)
    found = organisation.read(proxies.issue(credential, proxies.new_key(), now, ends, attributes).pem)
    assert found["type"] == "RFC compliant proxy"
    assert found["identity"] == credential.subject
    assert found["VO"] == "survey"
    assert found["attribute"] == ROLE
    assert found["uri"] == "localhost:15000"


def test_it_finds_them_in_what_is_delegated(organisation: Organisation) -> None:
    now = datetime.now(UTC)
    credential = proxies.load(*organisation.robot)
    attributes = organisation.attributes(12)
    proxy = proxies.issue(credential, proxies.new_key(), now, now + timedelta(hours=12), attributes)
    key = proxies.new_key()
    delegated = x509.load_pem_x509_certificates(proxies.delegate(proxy, asking(key), now))
    found = organisation.read(proxies.Credential(tuple(delegated), key).pem)
    assert found["attribute"] == ROLE


def test_in_a_plain_proxy_it_finds_none(organisation: Organisation) -> None:
    """The readings above say something."""
    now = datetime.now(UTC)
    credential = proxies.load(*organisation.robot)
    found = organisation.read(proxies.issue(credential, proxies.new_key(), now, now + timedelta(hours=12)).pem)
    assert found["identity"] == credential.subject
    assert "VO" not in found
    assert "attribute" not in found
