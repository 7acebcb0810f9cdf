"""What REANA is told of a provider's key, beside what a real Keycloak tells of itself."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.reana.models import FILES
from vre_operator.targets.oidc.http import IssuerHttp

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

Trust = Callable[[str, str], None]
LOOPBACK = ("127.0.0.0/8", "::1/128")


@pytest.fixture
def program() -> dict[str, Any]:
    return runpy.run_path(str(FILES / "realm.py"))


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trust:
    """The authority of a provider, and where its keys are."""

    def trusted(authority: str, address: str) -> None:
        file = tmp_path / "ca.pem"
        file.write_text(authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        monkeypatch.setenv("VRE_JWKS", address)

    return trusted


@pytest.fixture
def told(realm: Realm, program: dict[str, Any], trust: Trust) -> Callable[..., str]:
    trust(realm.server.ca, f"{realm.issuer}/protocol/openid-connect/certs")
    return lambda token="": program["realm"](token)["public_key"]


async def own_word(realm: Realm) -> str:
    return str((await realm.admin("GET", f"/realms/{realm.name}"))["public_key"])


async def new_key(realm: Realm) -> None:
    """One that signs from now on; what the former one signed stays good."""
    about = {
        "name": "newer",
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": {"priority": ["500"], "algorithm": ["RS256"], "keySize": ["2048"]},
    }
    await realm.of_realm("POST", "/components", about)


async def token(realm: Realm, credential: dict[str, str]) -> str:
    http = IssuerHttp(realm.issuer, realm.server.ca, LOOPBACK, clock=lambda: 0.0)
    url = f"{realm.issuer}/protocol/openid-connect/token"
    answer = await http.request("POST", url, form={"grant_type": "client_credentials"} | credential)
    return answer.text("access_token")


async def test_the_key_of_a_token_is_told_over_a_rotation(realm: Realm, told: Callable[..., str]) -> None:
    credential = await realm.registrar()
    former, old = await own_word(realm), await token(realm, credential)
    assert told() == told(old) == former, "the other keys there are for encryption"
    await new_key(realm)
    later, new = await own_word(realm), await token(realm, credential)
    assert later != former
    assert (told(old), told(new)) == (former, later)


def test_a_provider_that_is_no_keycloak(strict: Registry, program: dict[str, Any], trust: Trust) -> None:
    trust(strict.ca, f"{strict.url}/jwks")
    assert program["realm"]("an-opaque-token")["public_key"].startswith("MII")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("https{}/nothing", "not to be had"),
        ("http{}/jwks", "by https"),
        ("https{}/.well-known/openid-configuration", "not to be had"),
    ],
)
def test_no_key_is_told_in_words(
    strict: Registry, program: dict[str, Any], trust: Trust, path: str, says: str
) -> None:
    trust(strict.ca, path.format(strict.url.removeprefix("https")))
    with pytest.raises(program["NoKey"], match=says):
        program["realm"]("")


def test_kinds_of_keys(program: dict[str, Any]) -> None:
    curve = {
        "kty": "EC",
        "crv": "P-256",
        "kid": "curve",
        # RFC 7517, appendix A.1
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }
    chosen = program["chosen"]
    others = [{"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "secp256k1"}, curve | {"use": "enc"}]
    assert chosen([*others, curve], "").public_numbers().curve.name == "secp256r1"
    with pytest.raises(program["NoKey"], match="no key that signs"):
        chosen(others, "")
