"""Provider manual at real providers: what a person entered is tried, redirect URIs and scopes included."""

from __future__ import annotations

import pytest

from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life, strict_life
from tests.oidc.life import Life
from vre_operator.engine.target import State

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]


async def entered(by: Life, authorization_endpoint: str) -> Life:
    """A tenant whose client a person made: as `by` makes its own."""
    made = await by.converge()
    endpoints = by.endpoints | {"authorization_endpoint": authorization_endpoint}
    return Life("manual", by.issuer, by.ca, endpoints, dict(made.outputs), name=by.name)


@pytest.fixture
async def at_keycloak(realm: Realm) -> Life:
    by = keycloak_life(realm, "keycloak-admin", await realm.registrar())
    return await entered(by, f"{realm.issuer}/protocol/openid-connect/auth")


@pytest.fixture
async def at_strict(strict: Registry, request: pytest.FixtureRequest) -> Life:
    strict.drop(0)
    by = strict_life(strict, name=f"entry-{request.node.name.split('[')[0][-30:]}".replace("_", "-").strip("-"))
    return await entered(by, f"{strict.url}/auth")


async def _checked(life: Life) -> None:
    assert (await life.converge()).readiness.ready

    life.changes["redirect_uris"] = ["https://elsewhere.example.org/hub/oauth_callback"]
    seen = await life.converge()
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "ProbeFailed")
    assert "https://elsewhere.example.org/hub/oauth_callback" in seen.readiness.message
    assert life.credential["client_secret"] not in seen.readiness.message

    life.clock.now += 3600  # a fault found by a probe is looked at again soon
    assert (await life.converge()).readiness.reason == "ProbeFailed"

    del life.changes["redirect_uris"]
    assert (await life.converge()).readiness.ready


async def test_keycloak_s_word_on_redirect_uris(at_keycloak: Life) -> None:
    await _checked(at_keycloak)


async def test_oidc_provider_s_word_on_redirect_uris(at_strict: Life) -> None:
    await _checked(at_strict)


async def test_keycloak_s_word_on_scopes(at_keycloak: Life) -> None:
    at_keycloak.changes["scopes"] = ["openid", "eduperson_entitlement"]
    seen = await at_keycloak.converge()
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "ProbeFailed")
    assert "openid eduperson_entitlement" in seen.readiness.message


async def test_a_page_on_another_host_is_not_asked(at_keycloak: Life) -> None:
    at_keycloak.endpoints["authorization_endpoint"] = "https://login.example.org/auth"
    assert (await at_keycloak.converge()).readiness.ready
