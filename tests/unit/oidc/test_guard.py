"""Where a tenant's issuer may send the operator."""

from __future__ import annotations

import pytest

from vre_operator.engine.errors import Invalid
from vre_operator.targets.guard import GuardedResolver, allowed, check_url, networks


@pytest.mark.attack("tenant admin", "SSRF")
@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.88.99.1",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2002:a00:1::",
        "5f00::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_addresses_inside_are_refused(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert allowed(address)


def test_the_site_can_allow_a_network() -> None:
    extra = networks(["10.96.0.0/12", "fd00::/8"])
    assert allowed("10.96.0.10", extra)
    assert allowed("::ffff:10.96.0.10", extra)
    assert allowed("fd00::1", extra)
    assert not allowed("10.0.0.1", extra)
    assert not allowed("169.254.169.254", extra)


@pytest.mark.attack("tenant admin", "SSRF")
@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.org/",
        "ftp://login.example.org/",
        "https://",
        "https://user:pass@login.example.org/",
        "https://login.example.org/?a=b",
        "https://login.example.org/#a",
        "https://10.0.0.1/",
        "https://8.8.8.8/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://[::1]/",
        "https://login.example.org:22/",
        "https://login.example.org:99999/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url)
    assert refused.value.reason == "IssuerRefused"
    assert "pass" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://login.example.org", "https://login.example.org:8443/realms/vre"])
def test_urls_that_are_taken(url: str) -> None:
    assert check_url(url).hostname == "login.example.org"


@pytest.mark.attack("tenant admin", "SSRF")
async def test_a_name_is_refused_when_one_of_its_addresses_is() -> None:
    with pytest.raises(Invalid, match="not a public address"):
        await GuardedResolver(()).resolve("localhost", 443)


async def test_a_name_inside_an_allowed_network_is_resolved() -> None:
    found = await GuardedResolver(networks(["127.0.0.0/8", "::1/128"])).resolve("localhost", 443)
    assert found[0]["host"] in ("127.0.0.1", "::1")


def test_a_broken_network_of_the_site_is_named() -> None:
    with pytest.raises(Invalid, match="issuerCidrs"):
        networks(["10.0.0.1/8"])
