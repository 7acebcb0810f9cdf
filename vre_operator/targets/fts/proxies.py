"""X.509 proxies (RFC 3820): short-lived certificates that a person's or robot's own certificate signs.

FTS and grid storages know people by them. A proxy with attributes of a virtual organisation carries what a VOMS
server signed (GFD.182: the extension below). Keys are RSA: FTS compares moduli. Everything here is pure but for
fresh keys and serial numbers; to make a key takes a tenth of a second of CPU.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid

_PROXY_CERT_INFO = ObjectIdentifier("1.3.6.1.5.5.7.1.14")
# ProxyCertInfo with the policy id-ppl-inheritAll and no bound on the length of the path.
_INHERIT_ALL = bytes.fromhex("300c300a06082b06010505071501")
_VOMS_ATTRIBUTES = ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5")
# The validity of an attribute certificate: two GeneralizedTimes, whose lengths are fixed in DER.
_VALIDITY = re.compile(rb"\x30\x22\x18\x0f(\d{14})Z\x18\x0f(\d{14})Z")
_KEY_BITS = 2048
# Clocks differ.
_SLACK = timedelta(minutes=5)

_SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its key, and what else leads to the certificate authority, nearest first."""

    chain: tuple[x509.Certificate, ...]
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def expires(self) -> datetime:
        """When the first of the chain ends, in UTC."""
        return min(one.not_valid_after_utc for one in self.chain)

    @property
    def subject(self) -> str:
        """As the grid writes it: /DC=org/CN=robot."""
        return "".join(
            f"/{_SHORT.get(part.oid, part.oid.dotted_string)}={part.value!s}" for part in self.chain[0].subject
        )

    @property
    def pem(self) -> bytes:
        """Certificate, key, chain, in the order in which the grid's tools look for them. Secret."""
        first, *rest = (one.public_bytes(serialization.Encoding.PEM) for one in self.chain)
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return b"".join([first, key, *rest])


def load(certificates: str, key: str) -> Credential:
    """Both as PEM. Raises Invalid with what is wrong, never with what is in them."""
    try:
        chain = tuple(x509.load_pem_x509_certificates(certificates.encode()))
    except ValueError:
        raise _unusable("tls.crt holds no certificate in PEM") from None
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except TypeError:
        remedy = "Store it without a passphrase: openssl rsa -in userkey.pem"
        raise _unusable("tls.key is protected by a passphrase", remedy) from None
    except ValueError:
        raise _unusable("tls.key holds no private key in PEM") from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise _unusable("tls.key is no RSA key, which FTS asks for")
    if private.public_key() != chain[0].public_key():
        remedy = "Put the certificate itself first, then those of its authority."
        raise _unusable("tls.key does not belong to the first certificate of tls.crt", remedy)
    return Credential(chain, private)


def issue(
    credential: Credential, key: rsa.RSAPrivateKey, now: datetime, ends: datetime, attributes: bytes = b""
) -> Credential:
    """A proxy with `key`. attributes: an attribute certificate of a VOMS server, DER."""
    certificate = _sign(credential, key.public_key(), now, ends, attributes)
    return Credential((certificate, *credential.chain), key)


def delegate(credential: Credential, request: bytes, now: datetime) -> bytes:
    """Sign the certificate request (PEM) of a service that is to act for us; the answer with its chain, PEM.

    Raises Invalid when it is no such request.
    """
    try:
        asked = x509.load_pem_x509_csr(request)
        key = asked.public_key()
    except ValueError:
        raise Invalid("The FTS asks with something else than a certificate request") from None
    if not asked.is_signature_valid or not isinstance(key, rsa.RSAPublicKey):
        raise Invalid("The FTS asks with a certificate request that is not signed with its own RSA key")
    signed = _sign(credential, key, now, credential.expires)
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (signed, *credential.chain))


def new_key() -> rsa.RSAPrivateKey:
    """A tenth of a second of CPU."""
    return rsa.generate_private_key(65537, _KEY_BITS)


def attributes_expire(attributes: bytes) -> datetime:
    """When a VOMS server's attributes end, in UTC. Raises Invalid for what is no attribute certificate."""
    found = _VALIDITY.search(attributes)
    if found is None:
        raise Invalid("The VOMS server answers with something else than an attribute certificate")
    return datetime.strptime(found[2].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _sign(
    credential: Credential, key: rsa.RSAPublicKey, now: datetime, ends: datetime, attributes: bytes = b""
) -> x509.Certificate:
    serial = secrets.randbits(63)
    issuer = credential.chain[0].subject
    name = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, str(serial))])
    begins = max(now - _SLACK, *(one.not_valid_before_utc for one in credential.chain))
    builder = (
        x509.CertificateBuilder(issuer, x509.Name([*issuer.rdns, name]), key, serial)
        .not_valid_before(begins)
        .not_valid_after(min(ends, credential.expires))
        .add_extension(_usage(), critical=True)
        .add_extension(x509.UnrecognizedExtension(_PROXY_CERT_INFO, _INHERIT_ALL), critical=True)
    )
    if attributes:
        packed = x509.UnrecognizedExtension(_VOMS_ATTRIBUTES, _sequence(_sequence(attributes)))
        builder = builder.add_extension(packed, critical=False)
    return builder.sign(credential.key, hashes.SHA256())


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sequence(content: bytes) -> bytes:
    """DER."""
    size = len(content)
    if size < 128:
        return bytes([0x30, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x30, 0x80 | len(length)]) + length + content


def _unusable(message: str, remedy: str = "") -> Invalid:
    return Invalid(
        f"The certificate cannot be used: {message}",
        remedy=remedy or "Correct the Secret of spec.dataLake.transfers.x509.",
        reason=Reason.CERTIFICATE_INVALID,
    )
