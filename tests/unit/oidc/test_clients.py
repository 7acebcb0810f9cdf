"""Clients against a provider that misbehaves; the real ones are in tests/oidc."""

from __future__ import annotations

import copy
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.unit.oidc.idp import LOOPBACK, Idp
from vre_operator.engine.errors import Conflict, NotReady, TargetError, Unavailable
from vre_operator.engine.resources import OIDC, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, State
from vre_operator.kube.client import Kube
from vre_operator.targets.oidc import OidcTarget
from vre_operator.targets.oidc.model import Provider
from vre_operator.targets.store import KubeSecrets, MemoryStateStore

TENANT = Tenant("ocean", "vre", "uid-1", "cluster-1")
CLIENT = ResourceId(OIDC, "Client", "", "hub")
SECRETS = {"client_secret": "canary-secret", "initial_access_token": "canary-token"}


class Hub:
    """The hub's client at `idp`."""

    def __init__(self, idp: Idp, provider: str, **changes: Any) -> None:
        self.store = MemoryStateStore()
        self.clock = idp.clock
        issuer = f"{idp.url}/realms/vre" if provider.startswith("keycloak") else idp.url
        self.body: dict[str, Any] = {
            "provider": provider,
            "issuer": issuer,
            "endpoints": {"token_endpoint": f"{idp.url}/token", "registration_endpoint": f"{idp.url}/reg"},
            "ca_bundle": idp.ca,
            "allowed_cidrs": list(LOOPBACK),
            "credential": {"client_id": "entered", **SECRETS},
            "redirect_uris": ["https://ocean.example.org/hub/oauth_callback"],
            **changes,
        }
        self.restart()

    def restart(self) -> None:
        self.target = OidcTarget(self.store, clock=self.clock)

    @property
    def desired(self) -> Desired:
        body = copy.deepcopy(self.body)  # the engine resolves a new one for each walk
        return Desired(Resource(CLIENT, "identity", body), body)

    async def converge(self) -> Observation:
        seen = await self.target.observe(TENANT, self.desired)
        if seen.presence in (Presence.ABSENT, Presence.DRIFTED):
            seen = await self.target.apply(TENANT, self.desired)
        return seen

    async def delete(self) -> bool:
        return await self.target.delete(TENANT, CLIENT, Policy.DELETE, data=False)


def conforms(kube: Kube) -> KubeSecrets:
    """Checked by mypy: the real client fits the store."""
    return kube


def invalid_grant(idp: Idp) -> None:
    idp.says({"error": "invalid_grant"}, status=400)


async def test_manual_publishes_what_was_entered_and_probes_it_rarely(idp: Idp) -> None:
    invalid_grant(idp)
    hub = Hub(idp, "manual")
    seen = await hub.converge()
    assert seen.readiness.ready
    assert seen.outputs == {"client_id": "entered", "client_secret": "canary-secret"}
    assert [path for _, path, _ in idp.seen] == ["/token"]
    for _ in range(5):
        hub.clock.now += 1800
        hub.restart()
        await hub.converge()
    assert len(idp.seen) == 1


async def test_manual_without_a_client_says_what_to_enter(idp: Idp) -> None:
    hub = Hub(idp, "manual", credential={"client_id": "", "client_secret": ""})
    with pytest.raises(NotReady) as waiting:
        await hub.converge()
    assert waiting.value.reason == "RegistrationPending"
    for word in ("https://ocean.example.org/hub/oauth_callback", "openid", "client_secret_post", "S256"):
        assert word in waiting.value.text
    assert idp.seen == []


async def test_manual_with_a_wrong_secret_is_told_until_it_is_right(idp: Idp) -> None:
    idp.says({"error": "invalid_client"}, status=401)
    hub = Hub(idp, "manual")
    for _ in range(3):
        seen = await hub.converge()
        assert seen.readiness.state is State.FAILED
        assert seen.readiness.reason == "CredentialsRefused"
        assert "canary" not in seen.readiness.message
    assert len(idp.seen) == 1
    invalid_grant(idp)
    hub.body["credential"] = {"client_id": "entered", "client_secret": "right"}
    assert (await hub.converge()).readiness.ready


async def test_manual_put_right_at_the_provider_is_noticed(idp: Idp) -> None:
    idp.says({"error": "invalid_client"}, status=401)
    hub = Hub(idp, "manual")
    await hub.converge()
    invalid_grant(idp)
    hub.clock.now += 3600
    assert (await hub.converge()).readiness.ready


async def test_manual_leaves_the_client_and_says_so(idp: Idp, caplog: pytest.LogCaptureFixture) -> None:
    invalid_grant(idp)
    hub = Hub(idp, "manual")
    await hub.converge()
    with caplog.at_level(logging.INFO):
        assert await hub.delete()
    assert "client entered" in caplog.text
    assert "stays there" in caplog.text
    assert hub.store.texts == {}


async def test_manual_never_probes_another_host(idp: Idp) -> None:
    hub = Hub(idp, "manual", endpoints={"token_endpoint": "https://oauth.example.org/token"})
    assert (await hub.converge()).readiness.ready
    assert idp.seen == []


async def test_an_unreachable_provider_is_never_gone(idp: Idp) -> None:
    served = {"client_id": "chosen", "client_secret": "s", "registration_access_token": "t"}
    served["registration_client_uri"] = f"{idp.url}/reg/chosen"
    idp.says(served, status=201)
    hub = Hub(idp, "generic-dcr")
    made = await hub.converge()
    idp.says({}, status=503)
    hub.clock.now += 3600
    seen = await hub.converge()
    assert seen.presence is Presence.SYNCED
    assert seen.outputs == made.outputs
    for _ in range(3):
        hub.clock.now += 600
        with pytest.raises(Unavailable):
            await hub.delete()
        assert hub.store.texts


async def test_a_state_removed_by_a_person_is_noticed_after_a_failure(idp: Idp) -> None:
    idp.says({}, status=500)
    hub = Hub(idp, "generic-dcr")
    with pytest.raises(Conflict):
        await hub.converge()
    hub.clock.now += 600
    hub.store.texts.clear()
    idp.says({"client_id": "c", "client_secret": "s"}, status=201)
    assert (await hub.converge()).outputs["client_id"] == "c"


async def test_a_new_token_is_the_word_to_register_again(idp: Idp) -> None:
    idp.says({}, status=500)
    hub = Hub(idp, "generic-dcr")
    for _ in range(3):
        hub.clock.now += 600
        with pytest.raises(Conflict):
            await hub.converge()
    assert len(idp.seen) == 1
    hub.body["credential"] = {"initial_access_token": "another"}
    for _ in range(3):
        hub.clock.now += 600
        with pytest.raises(Conflict):
            await hub.converge()
    assert len(idp.seen) == 2


async def test_a_registration_uri_on_another_host_is_not_used(idp: Idp) -> None:
    served = {"client_id": "c", "client_secret": "s", "registration_access_token": "t"}
    idp.says({**served, "registration_client_uri": "https://evil.example.org/reg/c"}, status=201)
    hub = Hub(idp, "generic-dcr")
    await hub.converge()
    ((text, _),) = hub.store.texts.values()
    assert "evil" not in text


class Refusing:
    """A registry (RFC 7591, 7592) with one client; it refuses the next `refusals` requests to `path`."""

    def __init__(self, idp: Idp, path: str) -> None:
        self.path, self.refusals = path, 0
        self.client = {"client_id": "c", "client_secret": "s", "registration_access_token": "t"}
        self.client["registration_client_uri"] = f"{idp.url}/reg/c"
        idp.answer = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == self.path and self.refusals:
            self.refusals -= 1
            return web.json_response({"error": "invalid_client"}, status=401)
        if request.path == "/token":
            return web.json_response({"error": "invalid_grant"}, status=400)
        asked = await request.json() if request.can_read_body else {}
        return web.json_response({**asked, **self.client}, status=201 if request.method == "POST" else 200)


async def test_a_refused_probe_is_not_believed_for_long(idp: Idp) -> None:
    """A provider whose parts agree a moment later must not keep people out for ten minutes."""
    provider = Refusing(idp, "/token")
    provider.refusals = 1
    hub = Hub(idp, "generic-dcr")
    seen = await hub.converge()
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "ProbeFailed")
    assert seen.recheck_after is not None
    assert seen.recheck_after <= 30
    hub.clock.now += seen.recheck_after + 1
    assert (await hub.converge()).readiness.ready


async def test_a_probe_that_stays_refused_is_asked_more_and_more_rarely(idp: Idp) -> None:
    """Each refusal is a line in the provider's audit log."""
    provider = Refusing(idp, "/token")
    provider.refusals = 1000
    hub = Hub(idp, "generic-dcr")
    waits = []
    for _ in range(8):
        seen = await hub.converge()
        waits.append(seen.recheck_after or 0)
        hub.clock.now += waits[-1] + 1
    assert waits[-1] >= 600
    assert sum(path == "/token" for _, path, _ in idp.seen) <= 8


async def test_one_refused_reading_does_not_lose_the_registration_token(idp: Idp) -> None:
    provider = Refusing(idp, "/reg/c")
    hub = Hub(idp, "generic-dcr")
    await hub.converge()
    hub.body["credential"] = {"initial_access_token": "another"}
    provider.refusals = 1
    assert (await hub.converge()).readiness.reason == "RegistrationTokenLost"
    hub.clock.now += 3600
    assert (await hub.converge()).readiness.reason == ""
    hub.body["redirect_uris"] = ["https://new.example.org/hub/oauth_callback"]
    assert (await hub.converge()).readiness.reason == ""


async def test_a_lost_registration_token_is_no_drift(idp: Idp) -> None:
    """It would be repaired, and told, at every reading, and nothing would have been done."""
    provider = Refusing(idp, "/reg/c")
    hub = Hub(idp, "generic-dcr")
    await hub.converge()
    hub.body["credential"] = {"initial_access_token": "another"}
    provider.refusals = 1000
    await hub.converge()
    for _ in range(3):
        hub.clock.now += 3600
        seen = await hub.target.observe(TENANT, hub.desired)
        assert (seen.presence, seen.readiness.reason) == (Presence.SYNCED, "RegistrationTokenLost")


@pytest.mark.parametrize("provider", [*Provider])
@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 409, 500])
async def test_no_secret_comes_out_whatever_the_provider_echoes(
    idp: Idp, caplog: pytest.LogCaptureFixture, provider: str, status: int
) -> None:
    caplog.set_level(logging.DEBUG)

    async def echo(request: web.Request) -> web.StreamResponse:
        said = f"{await request.text()} {request.headers.get('Authorization')} canary-secret canary-token"
        return web.json_response({"error": "echo", "error_description": said}, status=status)

    idp.answer = echo
    hub = Hub(idp, provider)
    told: list[str] = []
    acts: list[Callable[[], Awaitable[Any]]] = [hub.converge, hub.converge, hub.delete]
    for act in acts:
        hub.clock.now += 3600
        try:
            seen = await act()
        except TargetError as error:
            told += [error.text, repr(error), "".join(traceback.format_exception(error))]
        else:
            if isinstance(seen, Observation):
                told += [seen.detail, seen.readiness.message]
    told += [repr(hub.target), caplog.text]
    ours = [state for text, _ in hub.store.texts.values() for state in _secrets(text)]
    for secret in (*SECRETS.values(), *ours):
        assert not any(secret in text for text in told)


def _secrets(text: str) -> list[str]:
    state = json.loads(text)
    return [state[key] for key in ("current", "pending", "rat") if state[key]]


async def test_redirect_uris_that_go_astray_are_refused_before_any_request(idp: Idp) -> None:
    hub = Hub(idp, "keycloak-dcr", redirect_uris=["https://ocean.example.org/*"])
    with pytest.raises(TargetError, match="redirect URI"):
        await hub.converge()
    assert idp.seen == []


async def test_kinds_that_do_not_exist_are_refused(idp: Idp) -> None:
    hub = Hub(idp, "manual")
    odd = Desired(Resource(ResourceId(OIDC, "Realm", "", "x"), "identity"), {})
    with pytest.raises(TargetError, match="no kind"):
        await hub.target.observe(TENANT, odd)
    issuer = Desired(Resource(ResourceId(OIDC, "Issuer", "", "x"), "identity"), {})
    with pytest.raises(TargetError, match="only be read"):
        await hub.target.apply(TENANT, issuer)
    assert await hub.target.delete(TENANT, issuer.id, Policy.EXTERNAL, data=False)


async def test_where_nothing_was_ever_sent_a_deletion_asks_nobody(idp: Idp) -> None:
    idp.says({"error": "unauthorized_client"}, status=401)
    hub = Hub(idp, "keycloak-admin")
    with pytest.raises(TargetError):
        await hub.converge()
    idp.seen.clear()
    assert await hub.delete()
    assert idp.seen == []
    assert hub.store.texts == {}


async def test_a_deletion_refused_for_its_credential_names_the_way_out(idp: Idp) -> None:
    """Here while the client is being made: the account lost its right."""

    async def refuses_the_creation(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return web.json_response({"access_token": "t"})
        return web.json_response(
            [] if request.method == "GET" else {}, status=200 if request.method == "GET" else 403
        )

    idp.answer = refuses_the_creation
    hub = Hub(idp, "keycloak-admin")
    with pytest.raises(TargetError):
        await hub.converge()
    (key,) = hub.store.texts
    idp.says({"error": "unauthorized_client"}, status=401)
    with pytest.raises(TargetError) as blocked:
        await hub.target.delete(TENANT, CLIENT, Policy.DELETE, False)
    assert blocked.value.reason == "CredentialsRefused"
    assert f"delete Secret {key.object_name} in the operator's namespace" in blocked.value.text
    assert "canary" not in blocked.value.text
    await hub.store.delete(key)
    assert await hub.target.delete(TENANT, CLIENT, Policy.DELETE, False)
