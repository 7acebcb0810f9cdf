"""X.509 proxies, judged by OpenSSL."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fts.authority import Authority, openssl_verifies
from tests.fts.server import asking
from vre_operator.engine.errors import Invalid
from vre_operator.targets.fts import proxies

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(hours=12)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def credential(authority: Authority) -> proxies.Credential:
    return proxies.load(*authority.robot())


@pytest.fixture(scope="module")
def proxy(credential: proxies.Credential) -> proxies.Credential:
    return proxies.issue(credential, proxies.new_key(), NOW, LATER)


def test_openssl_takes_it_for_a_proxy_of_the_certificate(
    proxy: proxies.Credential, authority: Authority, tmp_path: Path
) -> None:
    assert openssl_verifies(proxy.pem, authority, tmp_path) == ""
    assert "proxy" in openssl_verifies(proxy.pem, authority, tmp_path, proxies=False)
    shown = subprocess.run(
        ["openssl", "x509", "-in", "chain.pem", "-noout", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Policy Language: Inherit all" in shown
    assert "Path Length Constraint: infinite" in shown


def test_its_name_is_the_certificates_and_one_more(
    proxy: proxies.Credential, credential: proxies.Credential
) -> None:
    mine, theirs = proxy.chain[0], credential.chain[0]
    assert mine.issuer == theirs.subject
    assert list(mine.subject)[:-1] == list(theirs.subject)
    assert list(mine.subject)[-1].oid == NameOID.COMMON_NAME
    assert credential.subject == "/DC=example/O=Survey/CN=Robot: survey"


def test_it_ends_when_asked_and_never_after_its_certificate(authority: Authority) -> None:
    soon = NOW + timedelta(hours=1)
    brief = proxies.load(*authority.robot("Robot: brief", until=soon))
    assert proxies.issue(brief, proxies.new_key(), NOW, LATER).expires == soon


def test_its_file_is_read_back(proxy: proxies.Credential) -> None:
    text = proxy.pem.decode()
    assert proxies.load(text, text).chain == proxy.chain
    order = [line for line in text.splitlines() if "BEGIN" in line]
    assert [line.strip("-").removeprefix("BEGIN ") for line in order] == [
        "CERTIFICATE",
        "RSA PRIVATE KEY",
        "CERTIFICATE",
    ]


def test_a_services_request_is_signed_and_openssl_follows_the_chain(
    proxy: proxies.Credential, authority: Authority, tmp_path: Path
) -> None:
    key = proxies.new_key()
    answer = proxies.delegate(proxy, asking(key), NOW)
    assert openssl_verifies(answer, authority, tmp_path) == ""
    delegated = x509.load_pem_x509_certificates(answer)
    assert delegated[0].public_key() == key.public_key()
    assert list(delegated[0].subject)[:-1] == list(proxy.chain[0].subject)
    assert delegated[0].not_valid_after_utc == proxy.expires
    assert len(delegated) == 3


def test_no_other_request_is_signed(proxy: proxies.Credential) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(elliptic, hashes.SHA256())
    for request in (b"<html>", asked.public_bytes(serialization.Encoding.PEM)):
        with pytest.raises(Invalid, match="certificate request"):
            proxies.delegate(proxy, request, NOW)


def _encrypted(key: str) -> str:
    loaded = serialization.load_pem_private_key(key.encode(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()


def test_what_is_no_certificate_is_named_without_what_is_in_it(authority: Authority) -> None:
    certificate, key = authority.robot()
    _, other = authority.robot("Robot: other")
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for crt, private, words in (
        ("hello", key, "tls.crt holds no certificate"),
        (certificate, "hello", "tls.key holds no private key"),
        (certificate, _encrypted(key), "passphrase"),
        (certificate, other, "does not belong"),
        (certificate, elliptic.decode(), "no RSA key"),
    ):
        with pytest.raises(Invalid, match=words) as refused:
            proxies.load(crt, private)
        assert "BEGIN" not in refused.value.text
        assert refused.value.remedy


def test_attributes_travel_in_the_extension_that_voms_names(
    credential: proxies.Credential, authority: Authority, tmp_path: Path
) -> None:
    # Longer than what DER writes in one byte.
    times = b"\x30\x22\x18\x0f20260101000000Z\x18\x0f20260101120000Z"
    attributes = b"\x30\x82\x01\x00" + times + bytes(256 - len(times))
    assert proxies.attributes_expire(attributes) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    made = proxies.issue(credential, proxies.new_key(), NOW, LATER, attributes)
    extension = made.chain[0].extensions.get_extension_for_oid(
        x509.ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5")
    )
    assert not extension.critical
    assert extension.value.public_bytes() == b"\x30\x82\x01\x08\x30\x82\x01\x04" + attributes
    assert openssl_verifies(made.pem, authority, tmp_path) == ""
    with pytest.raises(Invalid, match="attribute certificate"):
        proxies.attributes_expire(b"hello")
