"""What OA4MP does otherwise than the standard, at a stand-in (tests/oidc/standins says why)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.oidc.life import Life
from tests.oidc.rigs import Kind, Lost, Oa4mpRig
from tests.oidc.standins import oa4mp as standin
from tests.oidc.standins.oa4mp import Oa4mp
from vre_operator.engine.errors import Forbidden, Invalid, NotReady, Unavailable
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(60)]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Oa4mp]:
    async with standin.running(tmp_path) as made:
        yield made


@pytest.fixture
def life(server: Oa4mp) -> Life:
    return Oa4mpRig(Kind("oa4mp", "", Lost.HEALED, real=False), server).life("ocean")


async def test_a_secret_that_nobody_saw_is_no_reason_to_keep_a_client(server: Oa4mp, life: Life) -> None:
    life.deafened("POST", "/oidc-cm")
    with pytest.raises(Unavailable):
        await life.converge()
    (lost,) = server.clients
    life.restart()
    with pytest.raises(NotReady, match="may still be carried out"):
        await life.converge()
    life.clock.now += 60
    seen = await life.converge()
    assert [*server.clients] == [seen.outputs["client_id"]] != [lost]
    assert await life.verdict(seen.outputs) is Verdict.GOOD


async def test_a_client_of_somebody_else_with_our_name_is_never_touched(server: Oa4mp, life: Life) -> None:
    await life.converge()
    (client,) = server.clients.values()
    theirs = {**client, "told": {**client["told"], "vre_owner": "other/ocean/vre/uid-9"}}
    server.clients = {"theirs": theirs}
    life.check_time()
    assert len({*server.clients, (await life.converge()).outputs["client_id"]}) == 2
    assert await life.delete()
    assert [*server.clients] == ["theirs"]


async def test_what_an_admin_configured_stays(server: Oa4mp, life: Life) -> None:
    made = await life.converge()
    (client,) = server.clients.values()
    more = {
        "cfg": {"tokens": {"identity": {"type": "identity"}}},
        "scope": "openid profile email org.cilogon.userinfo",
    }
    client["told"] |= {**more, "redirect_uris": ["https://other.example.org/cb"]}
    life.check_time()
    assert (await life.observe()).detail == "redirect_uris"
    assert (await life.converge()).outputs == made.outputs
    (client,) = server.clients.values()
    assert client["told"]["cfg"] == more["cfg"]
    assert "org.cilogon.userinfo" in client["told"]["scope"]
    assert client["told"]["redirect_uris"] == life.body["redirect_uris"]
    assert await life.verdict(made.outputs) is Verdict.GOOD


async def test_a_hostname_changed_before_the_answer_came_leaves_no_client(server: Oa4mp, life: Life) -> None:
    life.deafened("POST", "/oidc-cm")
    with pytest.raises(Unavailable):
        await life.converge()
    life.restart()
    life.changes["display_name"] = "Notebooks at another.example.org"
    life.clock.now += 60
    seen = await life.converge()
    assert [*server.clients] == [seen.outputs["client_id"]]


async def test_a_grant_that_it_does_not_give_is_told_before_anything_is_made(server: Oa4mp, life: Life) -> None:
    life.changes["grant_types"] = ["client_credentials"]
    with pytest.raises(Invalid, match=r"spec\.dataLake\.storage"):
        await life.converge()
    assert server.clients == {}
    assert not life.fuse.passed[-1].startswith("after POST")


async def test_a_scope_that_the_server_does_not_have_is_named(server: Oa4mp, life: Life) -> None:
    made = await life.converge()
    life.changes["scopes"] = ["openid", "eduperson_entitlement"]
    with pytest.raises(Invalid) as refused:
        await life.converge()
    assert "spec.identity.scopes" in refused.value.text
    assert [*server.clients] == [made.outputs["client_id"]]


async def test_a_full_admin_client_is_told(server: Oa4mp, life: Life) -> None:
    server.most = -1
    with pytest.raises(Unavailable, match="failed with status 500"):
        await life.converge()
    server.most = 50
    life.clock.now += 600
    assert (await life.converge()).readiness.ready


async def test_a_client_of_another_admin_client_is_refused(server: Oa4mp, life: Life) -> None:
    await life.converge()
    server.admins["admin:/other"] = "another-secret"
    life.credential = {"client_id": "admin:/other", "client_secret": "another-secret"}
    life.changes["redirect_uris"] = ["https://one.example.org/cb"]
    seen = await life.converge()
    # the other admin client does not see it: for it there is none
    assert seen.outputs["client_id"] in server.clients


async def test_a_server_that_offers_no_registration_is_told(life: Life) -> None:
    life.endpoints["registration_endpoint"] = ""
    with pytest.raises(Invalid, match="offers no dynamic registration"):
        await life.converge()


async def test_the_credential_of_the_last_good_pass_removes_it(server: Oa4mp, life: Life) -> None:
    await life.converge()
    life.credential = {"client_id": "", "client_secret": ""}
    life.restart()
    assert await life.delete()
    assert server.clients == {}
    with pytest.raises((Forbidden, Unavailable)):
        await life.converge()


async def test_a_secret_that_works_no_more_is_told(server: Oa4mp, life: Life) -> None:
    made = await life.converge()
    assert await life.verdict(made.outputs) is Verdict.GOOD
    assert await life.verdict({**made.outputs, "client_secret": "x"}) is Verdict.WRONG_SECRET
    (client,) = server.clients.values()
    client["hash"] = ""
    life.clock.now += 7 * 3600
    assert (await life.converge()).readiness.reason == "ProbeFailed"
