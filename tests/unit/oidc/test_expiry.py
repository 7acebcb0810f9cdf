"""Secrets that end: what is taken for a provider's word, from when on something is done, and what is told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.oidc.idp import Idp
from tests.unit.oidc.test_clients import TENANT, Hub, invalid_grant
from vre_operator.engine.errors import Invalid
from vre_operator.engine.target import Presence, State
from vre_operator.targets.oidc import expiry
from vre_operator.targets.oidc.model import ClientState, Owner, Provider

DAY = 86400.0
NOW = 1_800_000_000.0


def state(provider: Provider = Provider.GENERIC_DCR, **more: Any) -> ClientState:
    body = {"provider": provider, "issuer": "https://login.example.org"}
    known = {"client_id": "chosen", "current": "s", "rat": "t", **more}
    return ClientState(Owner.of(TENANT, "hub"), body, **known)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        (NOW + DAY, NOW + DAY),
        (0, 0.0),
        (1e300, 0.0),
        (math.inf, 0.0),
        (math.nan, None),
        (-1, None),
        (True, None),
        ("soon", None),
        (None, None),
        ([], None),
    ],
)
def test_only_a_time_is_taken_for_one(said: Any, ends: float | None) -> None:
    held = state(secret_ends=7.0)
    told = expiry.told(held, said, NOW)
    assert told == ({} if ends is None else {"secret_ends": ends, "secret_seen": NOW, "renew_at": 0.0})
    assert expiry.told(replace(held, **told), said, NOW + 1) == {}, "once"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("0", 0.0),
        ("1800000000", NOW),
        ("2027-01-15", 1_799_971_200.0),
        ("2027-01-15T08:00:00+00:00", NOW),
        ("2027-01-15T09:00:00+01:00", NOW),
    ],
)
def test_what_a_person_writes(text: str, seconds: float) -> None:
    assert expiry.entered(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "15.1.2027", "2027-13-01"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expiry.entered(text)


def test_a_long_life_is_looked_after_for_its_last_two_weeks_and_a_short_one_for_its_second_half() -> None:
    assert expiry.due(state()) == math.inf
    assert expiry.due(state(secret_ends=NOW + 90 * DAY, secret_seen=NOW)) == NOW + 76 * DAY
    assert expiry.due(state(secret_ends=NOW + 2 * DAY, secret_seen=NOW)) == NOW + DAY
    assert expiry.due(state(secret_ends=NOW - DAY, secret_seen=NOW)) == NOW - DAY


def test_a_renewal_that_gives_nothing_is_told_and_repeated_daily() -> None:
    soon = state(secret_ends=NOW + 10 * DAY, secret_seen=NOW - 90 * DAY)
    assert expiry.to_renew(soon, NOW)
    assert expiry.problem(soon, NOW) == ("", ""), "it is about to be renewed"
    tried = replace(soon, renew_at=expiry.again(soon, NOW))
    assert not expiry.to_renew(tried, NOW + DAY - 1)
    assert expiry.to_renew(tried, NOW + DAY)
    reason, message = expiry.problem(tried, NOW)
    assert reason == "SecretExpires"
    assert "chosen" in message
    assert "ends at 2027-01-25T08:00:00Z" in message
    renewed = replace(tried, **expiry.told(tried, NOW + 90 * DAY, NOW))
    assert expiry.again(renewed, NOW) == 0.0
    assert expiry.problem(renewed, NOW) == ("", "")


@pytest.mark.parametrize("held", [state(Provider.OA4MP), state(Provider.IAM_ADMIN), state(rat="")])
def test_what_cannot_be_renewed_is_told_and_not_tried(held: ClientState) -> None:
    soon = replace(held, secret_ends=NOW + 10 * DAY, secret_seen=NOW - 90 * DAY)
    assert not expiry.to_renew(soon, NOW)
    assert expiry.problem(soon, NOW)[0] == "SecretExpires"
    assert expiry.problem(soon, NOW - 5 * DAY) == ("", "")
    assert " ended at " in expiry.problem(soon, NOW + 11 * DAY)[1]


async def test_a_person_says_when_a_manual_client_ends(idp: Idp) -> None:
    invalid_grant(idp)
    hub = Hub(idp, "manual")
    credential = {"client_id": "entered", "client_secret": "canary-secret"}
    ends = hub.clock.now + 100 * DAY
    hub.body["credential"] = {**credential, "client_secret_expires_at": str(ends)}
    for days, reason in ((0, ""), (80, ""), (7, "SecretExpires")):
        hub.clock.now += days * DAY
        seen = await hub.converge()
        assert (seen.readiness.state, seen.readiness.reason) == (State.READY, reason)
        assert seen.expires == ends
        assert (await hub.target.observe(TENANT, hub.desired)).presence is Presence.SYNCED
    assert "canary" not in seen.readiness.message
    hub.body["credential"] = {**credential, "client_secret_expires_at": ""}
    seen = await hub.converge()
    assert (seen.readiness.reason, seen.expires) == ("", None)
    hub.body["credential"] = {**credential, "client_secret_expires_at": "soon"}
    with pytest.raises(Invalid, match="client_secret_expires_at"):
        await hub.converge()


async def test_a_secret_that_has_ended_is_tried_at_once(idp: Idp) -> None:
    invalid_grant(idp)
    ends = idp.clock.now + DAY
    credential = {"client_id": "entered", "client_secret": "s", "client_secret_expires_at": str(ends)}
    hub = Hub(idp, "manual", credential=credential)
    await hub.converge()
    hub.clock.now = ends - 1800
    await hub.converge()
    asked = len(idp.seen)
    idp.says({"error": "invalid_client"}, status=401)
    hub.clock.now = ends + 1800
    seen = await hub.converge()
    assert len(idp.seen) == asked + 1, "hours before its turn"
    assert seen.readiness.state is State.FAILED
