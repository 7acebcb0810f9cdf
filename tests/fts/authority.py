"""A certificate authority of the grid's kind, for tests: its certificates, and what OpenSSL says of ours."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_BORN = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def _key(of: str) -> rsa.RSAPrivateKey:
    del of
    return rsa.generate_private_key(65537, 2048)


class Authority:
    """Made anew for each; keys are kept over a run, for they take long to make."""

    def __init__(self, name: str = "Grid CA") -> None:
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        self._key = _key(f"authority {name}")
        builder = self._builder(self._name, self._key.public_key(), _BORN + timedelta(days=7300))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def robot(
        self, name: str = "Robot: survey", *, until: datetime = _BORN + timedelta(days=3650)
    ) -> tuple[str, str]:
        """A certificate of somebody and its key, PEM."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Survey"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        return self._signed(subject, name, until)

    def host(self, hostname: str) -> tuple[str, str]:
        """The same of a server."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)])
        return self._signed(subject, hostname, _BORN + timedelta(days=3650), hostname)

    def _signed(self, subject: x509.Name, of: str, until: datetime, hostname: str = "") -> tuple[str, str]:
        key = _key(of)
        builder = self._builder(subject, key.public_key(), until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        if hostname:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False
            )
        certificate = builder.sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()

    def _builder(self, subject: x509.Name, key: rsa.RSAPublicKey, until: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), _BORN, until)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def openssl_verifies(chain: bytes, authority: Authority, directory: Path, *, proxies: bool = True) -> str:
    """ "" when OpenSSL trusts the first certificate of `chain`, else its words."""
    (directory / "ca.pem").write_text(authority.pem)
    (directory / "chain.pem").write_bytes(chain)
    allow = ["-allow_proxy_certs"] if proxies else []
    command = ["openssl", "verify", *allow, "-CAfile", "ca.pem", "-untrusted", "chain.pem", "chain.pem"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
