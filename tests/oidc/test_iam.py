"""What INDIGO IAM does otherwise than the standard, at a stand-in (tests/oidc/standins says why)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.oidc.life import Life, desired, issuer_body
from tests.oidc.rigs import IamRig, Kind, Lost
from tests.oidc.standins import iam as standin
from tests.oidc.standins.iam import Iam
from vre_operator.engine.errors import Conflict, Forbidden, Invalid
from vre_operator.engine.target import Presence, State
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(60)]

_KINDS = ("iam-admin", "iam-dcr")


@pytest.fixture
async def iam(tmp_path: Path) -> AsyncIterator[Iam]:
    async with standin.running(tmp_path) as made:
        yield made


def begin(iam: Iam, provider: str) -> Life:
    return IamRig(Kind(provider, "", Lost.TOLD, real=False), iam).life("ocean")


def wrote(life: Life) -> list[str]:
    return [step for step in life.fuse.passed if step.startswith("before PUT")]


async def test_an_issuer_is_spelled_with_its_slash(iam: Iam) -> None:
    life = begin(iam, "iam-dcr")
    seen = await life.target.observe(life.tenant, desired("Issuer", issuer_body(iam.issuer, iam.ca)))
    assert seen.outputs["registration_endpoint"] == life.endpoints["registration_endpoint"]
    with pytest.raises(Invalid) as refused:
        await life.target.observe(life.tenant, desired("Issuer", issuer_body(iam.url, iam.ca)))
    assert refused.value.reason == "IssuerMismatch"


async def test_scopes_that_are_taken_away_are_told_and_not_asked_for_again_and_again(iam: Iam) -> None:
    iam.restricted = {"storage.read:/", "email"}
    life = begin(iam, "iam-dcr")
    seen = await life.converge()
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "ScopesNotGranted")
    assert "the scopes email, so" in seen.readiness.message
    for _ in range(3):
        life.check_time()
        assert (await life.observe()).presence is Presence.SYNCED
    assert not wrote(life)
    (client,) = iam.clients.values()
    client["scope"] += " email"
    life.check_time()
    assert (await life.observe()).readiness.ready
    life.changes["redirect_uris"] = ["https://one.example.org/cb"]
    assert (await life.converge()).readiness.ready
    (client,) = iam.clients.values()
    assert "email" in client["scope"]


async def test_scopes_that_an_admin_took_away_are_asked_for_once(iam: Iam) -> None:
    life = begin(iam, "iam-dcr")
    await life.converge()
    (client,) = iam.clients.values()
    client["scope"] = "openid profile"
    iam.restricted = {"email"}
    life.check_time()
    assert (await life.observe()).detail == "scope"
    assert (await life.converge()).readiness.reason == "ScopesNotGranted"
    life.check_time()
    assert (await life.observe()).presence is Presence.SYNCED
    assert len(wrote(life)) == 1


@pytest.mark.parametrize("provider", _KINDS)
async def test_a_suspended_client_is_left_alone(iam: Iam, provider: str) -> None:
    life = begin(iam, provider)
    await life.converge()
    (client,) = iam.clients.values()
    client["active"] = False
    life.check_time()
    assert (await life.observe()).readiness.reason == "ClientDisabled"
    assert not iam.clients[client["client_id"]]["active"]
    iam.clients[client["client_id"]]["active"] = True
    life.check_time()
    assert (await life.observe()).readiness.ready


@pytest.mark.parametrize("provider", _KINDS)
async def test_what_an_admin_added_stays_and_so_does_the_secret(iam: Iam, provider: str) -> None:
    life = begin(iam, provider)
    made = await life.converge()
    (client,) = iam.clients.values()
    client |= {"contacts": ["vo@example.org"], "scope": client["scope"] + " wlcg", "redirect_uris": []}
    client["access_token_validity_seconds"] = 900
    client["grant_types"] = [*client["grant_types"], "client_credentials"]
    life.check_time()
    assert (await life.converge()).outputs == made.outputs
    (client,) = iam.clients.values()
    assert client["redirect_uris"] == life.body["redirect_uris"]
    assert client["contacts"] == ["vo@example.org"]
    assert "wlcg" in client["scope"].split()
    assert "client_credentials" in client["grant_types"]
    if provider == "iam-admin":  # dynamic registration neither shows nor sets it
        assert client["access_token_validity_seconds"] == 900
    assert await life.verdict(made.outputs) is Verdict.GOOD


async def test_offline_access_brings_a_grant_that_is_no_drift(iam: Iam) -> None:
    life = begin(iam, "iam-dcr")
    life.changes |= {"scopes": ["openid", "offline_access"], "grant_types": ["authorization_code"]}
    await life.converge()
    life.check_time()
    assert (await life.observe()).presence is Presence.SYNCED


@pytest.mark.parametrize("provider", _KINDS)
async def test_a_service_s_grant_needs_the_management_api(iam: Iam, provider: str) -> None:
    life = begin(iam, provider)
    life.changes["grant_types"] = ["authorization_code", "refresh_token", "client_credentials"]
    if provider == "iam-admin":
        assert (await life.converge()).readiness.ready
        return
    with pytest.raises(Invalid, match="not allowed: client_credentials") as refused:
        await life.converge()
    assert "iam-admin" in refused.value.text
    assert iam.clients == {}


async def test_a_registration_that_is_not_open_to_all_is_told(iam: Iam) -> None:
    iam.open = False
    life = begin(iam, "iam-dcr")
    with pytest.raises(Forbidden, match="does not let anybody") as refused:
        await life.converge()
    assert "allow-for" in refused.value.text
    assert refused.value.reason == "CredentialsRefused"
    iam.open = True
    assert (await life.converge()).readiness.ready


async def test_a_client_without_the_scopes_is_told(iam: Iam) -> None:
    life = begin(iam, "iam-admin")
    life.credential = {"client_id": "reader", "client_secret": iam.services["reader"][0]}
    with pytest.raises(Forbidden) as refused:
        await life.converge()
    assert "iam:admin.write" in refused.value.text
    assert refused.value.reason == "CredentialsRefused"


async def test_a_client_s_id_is_as_iam_s_own_are(iam: Iam) -> None:
    seen = await begin(iam, "iam-admin").converge()
    assert str(uuid.UUID(seen.outputs["client_id"])) == seen.outputs["client_id"]


async def test_a_client_of_somebody_else_is_never_touched(iam: Iam) -> None:
    life = begin(iam, "iam-admin")
    await life.converge()
    (client,) = iam.clients.values()
    client["client_description"] = "ours"
    life.store.texts.clear()
    life.restart()
    with pytest.raises(Conflict) as refused:
        await life.converge()
    assert refused.value.reason == "ClientOwnedByOther"
    life.clock.now += 60
    assert await life.delete()
    assert len(iam.clients) == 1


async def test_a_description_that_somebody_changed_is_put_right(iam: Iam) -> None:
    life = begin(iam, "iam-admin")
    made = await life.converge()
    (client,) = iam.clients.values()
    client["client_description"] = "The hub"
    life.check_time()
    assert (await life.observe()).detail == "client_description"
    assert (await life.converge()).outputs == made.outputs


@pytest.mark.parametrize("to", ["", "somebody"])
async def test_a_lost_token_is_told_and_an_admin_can_help(iam: Iam, to: str) -> None:
    """IAM answers 401 for a token that is none, and 400 for another client's."""
    life = begin(iam, "iam-dcr")
    made = await life.converge()
    iam.lose_tokens(to)
    life.check_time()
    seen = await life.converge()
    assert (seen.readiness.ready, seen.readiness.reason) == (True, "RegistrationTokenLost")
    assert seen.outputs == made.outputs
    with pytest.raises(Forbidden):
        await life.delete()
    iam.clients.clear()
    assert await life.delete()
    assert life.store.texts == {}
