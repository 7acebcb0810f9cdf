"""A certificate authority of our own, so that tests use https as production does."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = datetime.timedelta(days=30)


def write_certificates(
    folder: Path, names: tuple[str, ...] = ("localhost",), authority: str = "vre test CA"
) -> str:
    """Write `tls.crt` and `tls.key` for `names` and 127.0.0.1 into `folder`; give the authority's PEM text.

    authority: its name; one who trusts several can tell them apart by nothing else.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    root_builder = _builder(authority, authority, authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    root = root_builder.sign(authority_key, hashes.SHA256())
    key = ec.generate_private_key(ec.SECP256R1())
    server = (
        _builder(names[0], authority, key)
        .add_extension(
            x509.SubjectAlternativeName(
                [*(x509.DNSName(name) for name in names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return root.public_bytes(serialization.Encoding.PEM).decode()


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )
