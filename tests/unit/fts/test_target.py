"""Proxies over their life, and an FTS that is there, away, unwilling, or something else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fts.authority import Authority
from tests.fts.server import Fts
from vre_operator.engine.errors import Forbidden, Invalid, TargetError, Unavailable
from vre_operator.engine.resources import FTS, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, State
from vre_operator.targets.fts import FtsTarget
from vre_operator.targets.store import MemoryStateStore

TENANT = Tenant("survey", "vre", "uid-1", "cluster")
PROXY = ResourceId(FTS, "Proxy", "", "x509")
SERVER = ResourceId(FTS, "Server", "", "fts")
HOUR = 3600.0
AGO = 72 * HOUR


@dataclass
class Life:
    """One tenant through any number of operator lives. Its clock starts three days ago, so that what is made at
    any of its times is good today, when the stand-in looks at it."""

    fts: Fts
    authority: Authority
    robot: tuple[str, str]
    hours: int = 96
    voms: dict[str, Any] = field(default_factory=dict)
    asleep: bool = False
    store: MemoryStateStore = field(default_factory=MemoryStateStore)
    now: float = field(default_factory=lambda: time.time() - AGO)
    target: FtsTarget = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.target = FtsTarget(self.store, clock=lambda: self.now)

    def _reach(self) -> dict[str, Any]:
        return {"ca_bundle": self.authority.pem, "allowed_cidrs": ["127.0.0.0/8"], "asleep": self.asleep}

    def proxy_wish(self) -> Desired:
        certificate, key = self.robot
        body = {"certificate": certificate, "key": key, "hours": self.hours, "voms": self.voms, **self._reach()}
        return Desired(Resource(PROXY, "transfers", body), body)

    def server_wish(self, proxy: str) -> Desired:
        body = {"url": self.fts.url, "proxy": proxy, **self._reach()}
        return Desired(Resource(SERVER, "transfers", body), body)

    async def _keep(self, wish: Desired) -> tuple[Observation, bool]:
        """As a walk does; whether something was changed."""
        seen = self.target.observe(TENANT, wish)
        found = seen if isinstance(seen, Observation) else await seen
        if found.presence is Presence.SYNCED:
            return found, False
        return await self.target.apply(TENANT, wish), True

    async def proxy(self) -> tuple[Observation, bool]:
        return await self._keep(self.proxy_wish())

    async def server(self, proxy: str | None = None) -> tuple[Observation, bool]:
        if proxy is None:
            proxy = (await self.proxy())[0].outputs["proxy"]
        return await self._keep(self.server_wish(proxy))

    def asked(self) -> list[str]:
        told, self.fts.asked = self.fts.asked, []
        return told


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def fts(authority: Authority, tmp_path: Path) -> AsyncIterator[Fts]:
    async with Fts().serve(authority, tmp_path) as served:
        yield served


@pytest.fixture
def life(fts: Fts, authority: Authority) -> Life:
    return Life(fts, authority, authority.robot())


def end_of(observed: Observation) -> float:
    assert observed.expires is not None
    return observed.expires


async def test_a_proxy_is_made_once_and_given_to_the_fts(life: Life) -> None:
    made, changed = await life.proxy()
    assert changed
    assert end_of(made) == int(life.now) + 96 * HOUR or abs(end_of(made) - life.now - 96 * HOUR) < 2
    given, changed = await life.server()
    assert changed
    assert given.readiness.ready
    (held,) = life.fts.held.values()
    assert abs(held[0].not_valid_after_utc.timestamp() - end_of(made)) < 2
    life.asked()
    for _ in range(3):
        assert (await life.proxy())[1] is False
        assert (await life.server())[1] is False
    assert life.asked() == [], "a settled tenant costs no request"


async def test_it_is_made_anew_when_half_of_its_life_is_over(life: Life) -> None:
    first, _ = await life.proxy()
    await life.server()
    life.now += 47 * HOUR
    assert (await life.proxy())[1] is False
    life.now += 2 * HOUR
    second, changed = await life.proxy()
    assert changed
    assert end_of(second) > end_of(first)
    _, changed = await life.server()
    assert changed
    (held,) = life.fts.held.values()
    assert abs(held[0].not_valid_after_utc.timestamp() - end_of(second)) < 2


async def test_an_operator_that_starts_goes_on_with_what_there_is(life: Life) -> None:
    made, _ = await life.proxy()
    await life.server()
    life.asked()
    life.restart()
    found, changed = await life.proxy()
    assert (found.outputs, changed) == (made.outputs, False)
    assert (await life.server())[1] is False
    assert not [one for one in life.asked() if one.startswith("PUT")]


async def test_it_is_trusted_between_two_looks(life: Life) -> None:
    ids = [PROXY, SERVER]
    before = life.target.vouch(TENANT, ids, walked=False)
    assert before is not None, "after a start others are looked at first"
    await life.server()
    after = life.target.vouch(TENANT, ids, walked=True)
    assert after is not None
    assert after.recheck_after is not None
    assert 0 < after.recheck_after < 1000
    life.now += 1000
    assert life.target.vouch(TENANT, ids, walked=False) is None


async def test_another_certificate_makes_another_proxy(life: Life) -> None:
    first, _ = await life.proxy()
    life.robot = life.authority.robot("Robot: other")
    second, changed = await life.proxy()
    assert changed
    assert first.outputs != second.outputs


async def test_another_certificate_that_will_not_do_leaves_the_former_proxy(life: Life) -> None:
    first, _ = await life.proxy()
    good = life.robot
    life.robot = (good[0], "hello")
    found, changed = await life.proxy()
    assert found.outputs == first.outputs
    assert found.readiness.reason == "CertificateInvalid"
    assert not found.readiness.ready
    assert "stays, until" in found.readiness.message
    assert end_of(found) == end_of(first)
    life.robot = good
    found, changed = await life.proxy()
    assert (found.outputs, found.readiness.ready, changed) == (first.outputs, True, False)


async def test_attributes_bound_its_life(life: Life) -> None:
    ends = datetime.fromtimestamp(life.now, UTC) + timedelta(hours=24)
    stamp = f"{ends:%Y%m%d%H%M%S}Z".encode()
    life.fts.attributes = b"\x30\x24\x30\x22\x18\x0f20260101000000Z\x18\x0f" + stamp
    life.voms = {"url": life.fts.url, "attributes": ["/survey/Role=production"]}
    made, _ = await life.proxy()
    assert abs(end_of(made) - ends.timestamp()) < 2
    life.now += 13 * HOUR
    life.fts.attributes = b""
    failing, _ = await life.proxy()
    assert failing.readiness.ready, "the former one is good"
    assert failing.readiness.reason == "RenewalFailed"
    assert "no such user" in failing.readiness.message
    assert failing.outputs == made.outputs
    life.asked()
    await life.proxy()
    assert life.asked() == [], "not at every pass"
    life.now += 12 * HOUR
    over, _ = await life.proxy()
    assert over.readiness.reason == "ProxyExpired"
    assert not over.readiness.ready
    assert "/DC=example/O=Survey/CN=Robot: survey" in over.readiness.message
    later = datetime.fromtimestamp(life.now, UTC) + timedelta(hours=24)
    life.fts.attributes = b"\x30\x24\x30\x22\x18\x0f20260101000000Z\x18\x0f" + f"{later:%Y%m%d%H%M%S}Z".encode()
    life.now += HOUR
    again, changed = await life.proxy()
    assert changed
    assert again.readiness.ready
    assert again.readiness.reason == ""


async def test_who_is_no_member_is_told_whom_to_ask(life: Life) -> None:
    life.voms = {"url": life.fts.url, "attributes": []}
    with pytest.raises(Forbidden, match="no such user") as refused:
        await life.proxy()
    assert "member" in refused.value.remedy


async def test_a_certificate_that_is_over_or_soon_will_be(life: Life) -> None:
    life.robot = life.authority.robot("Robot: late", until=datetime.fromtimestamp(life.now, UTC))
    with pytest.raises(Invalid, match="ended at") as refused:
        await life.proxy()
    assert refused.value.reason == "CertificateInvalid"
    soon = datetime.fromtimestamp(life.now, UTC) + timedelta(days=10)
    life.robot = life.authority.robot("Robot: soon", until=soon)
    made, _ = await life.proxy()
    assert made.readiness.ready
    assert made.readiness.reason == "CertificateExpires"
    assert f"{soon:%Y-%m-%d}" in made.readiness.message


async def test_an_fts_that_is_away_is_told_and_found_again(life: Life, tmp_path: Path) -> None:
    proxy = (await life.proxy())[0].outputs["proxy"]
    port = life.fts.port
    life.fts.port = 1  # nobody there, and below what is allowed
    with pytest.raises(TargetError):
        await life.server(proxy)
    life.fts.port = port
    life.fts.faults["GET whoami"] = [503]
    with pytest.raises(Unavailable, match="503") as away:
        await life.server(proxy)
    assert away.value.remedy
    life.now += 60
    assert (await life.server(proxy))[0].readiness.ready
    life.now += 1000
    life.fts.faults["GET whoami"] = [503]
    failing, _ = await life.server(proxy)
    assert failing.readiness.state is State.PROGRESSING
    assert failing.readiness.reason == "Unavailable"


async def test_an_fts_that_refuses_says_whom(life: Life) -> None:
    life.fts.refuses = "The user does not belong to any authorized vo"
    with pytest.raises(Forbidden, match="Robot: survey") as refused:
        await life.server()
    assert "authorise" in refused.value.remedy


async def test_something_else_than_an_fts_is_told(life: Life) -> None:
    life.fts.faults["GET whoami"] = [200]
    with pytest.raises(Invalid, match="does not answer as an FTS"):
        await life.server()


@pytest.mark.parametrize("fault", [500, "lost"])
@pytest.mark.parametrize("step", ["GET whoami", "GET request", "PUT credential"])
async def test_a_delegation_that_is_broken_off_is_made_again(life: Life, step: str, fault: int | str) -> None:
    life.fts.faults[step] = [fault]
    with pytest.raises(Unavailable):
        await life.server()
    life.now += 60
    assert (await life.server())[0].readiness.ready
    assert len(life.fts.held) == 1


async def test_what_is_stored_by_another_process_is_read_again(life: Life) -> None:
    await life.proxy()
    other = Life(life.fts, life.authority, life.robot, store=life.store, now=life.now + 50 * HOUR)
    await other.proxy()
    life.now += 50 * HOUR
    with pytest.raises(TargetError, match="another process"):
        await life.proxy()
    assert (await life.proxy())[0].outputs == (await other.proxy())[0].outputs


async def test_by_token_an_answer_is_enough(life: Life) -> None:
    seen, changed = await life.server("")
    assert (seen.readiness.ready, changed) == (True, False)
    assert life.asked() == ["GET /"]


async def test_while_suspended_nobody_is_asked(life: Life) -> None:
    life.asleep = True
    made, _ = await life.proxy()
    life.now += 100 * HOUR
    found, changed = await life.proxy()
    assert (found.readiness.ready, changed) == (True, False), "it ended, and nobody minds"
    assert (await life.server())[0].readiness.ready
    assert life.asked() == []
    life.asleep = False
    again, changed = await life.proxy()
    assert changed
    assert end_of(again) > end_of(made)


async def test_deleted_it_is_forgotten(life: Life) -> None:
    await life.server()
    assert len(life.store.texts) == 1
    for one in (SERVER, PROXY, PROXY):
        assert await life.target.delete(TENANT, one, Policy.DELETE, data=False)
    assert life.store.texts == {}
