"""The kind Issuer at real providers."""

from __future__ import annotations

import pytest

from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from dev.ports import free_port
from tests.oidc.life import Clock, desired, issuer_body
from vre_operator.engine.errors import TargetError
from vre_operator.engine.resources import Tenant
from vre_operator.engine.target import Presence
from vre_operator.targets.oidc import OidcTarget
from vre_operator.targets.store import MemoryStateStore

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

TENANT = Tenant("ocean", "vre", "uid-1", "cluster-1")


def target() -> OidcTarget:
    return OidcTarget(MemoryStateStore(), clock=Clock())


async def test_keycloak_is_discovered(realm: Realm) -> None:
    seen = await target().observe(TENANT, desired("Issuer", issuer_body(realm.issuer, realm.server.ca)))
    assert seen.presence is Presence.SYNCED
    base = f"{realm.issuer}/protocol/openid-connect"
    assert seen.outputs == {
        "issuer": realm.issuer,
        "authorization_endpoint": f"{base}/auth",
        "token_endpoint": f"{base}/token",
        "userinfo_endpoint": f"{base}/userinfo",
        "jwks_uri": f"{base}/certs",
        "end_session_endpoint": f"{base}/logout",
        "registration_endpoint": f"{realm.issuer}/clients-registrations/openid-connect",
    }


async def test_the_strict_server_is_discovered(strict: Registry) -> None:
    seen = await target().observe(TENANT, desired("Issuer", issuer_body(strict.url, strict.ca)))
    assert seen.outputs["registration_endpoint"] == f"{strict.url}/reg"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: f"{url}/", "IssuerMismatch"),
        (lambda url: f"{url}-missing", "IssuerUnreachable"),
        (lambda url: url.replace("https:", "http:"), "IssuerRefused"),
        (lambda url: url.replace("localhost", "127.0.0.1"), "IssuerRefused"),
        (lambda url: f"https://localhost:{free_port()}/realms/vre", "IssuerUnreachable"),
    ],
)
async def test_a_wrong_issuer_is_named(realm: Realm, change: object, reason: str) -> None:
    assert callable(change)
    body = issuer_body(change(realm.issuer), realm.server.ca)
    with pytest.raises(TargetError) as failure:
        await target().observe(TENANT, desired("Issuer", body))
    assert failure.value.reason == reason
    assert failure.value.remedy


async def test_a_provider_inside_needs_the_sites_word(realm: Realm) -> None:
    body = {**issuer_body(realm.issuer, realm.server.ca), "allowed_cidrs": []}
    with pytest.raises(TargetError) as failure:
        await target().observe(TENANT, desired("Issuer", body))
    assert failure.value.reason == "IssuerRefused"
