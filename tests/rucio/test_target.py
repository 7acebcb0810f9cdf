"""The lake as declared state, in a real Rucio on a real PostgreSQL."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from tests.long import LONG, share
from tests.rucio.declared import Keeper, Killed, Wire
from tests.rucio.lake import AtWork
from tests.rucio.wish import account, lake, make_home, modest_lake, state, storage, subscription, unready
from vre_operator.engine.resources import Policy

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


async def test_a_lake_is_made_and_then_left_alone(keeper: Keeper) -> None:
    wish = lake("made")
    assert unready(await keeper.keep(wish)) == {}
    seen = await keeper.person().get("export")
    first = seen["rses"]["MADE-A"]
    assert first["attributes"] == {"MADE-A": True, "country": "FR", "greedyDeletion": True}
    assert first["MinFreeSpace"] == 1 << 40
    assert [one["prefix"] for one in first["protocols"]] == ["/data/"]
    assert (first["rse_type"], seen["rses"]["MADE-B"]["rse_type"]) == ("DISK", "TAPE")
    assert seen["distances"]["MADE-A"]["MADE-B"]["distance"] == 1
    assert seen["distances"]["MADE-B"]["MADE-A"]["distance"] == 1

    changes, reads = list(keeper.wire.changes), keeper.wire.reads
    await keeper.walk(wish)
    assert (keeper.wire.changes, keeper.wire.reads) == (changes, reads), "a settled lake costs no request"
    keeper.look_again()
    await keeper.walk(wish)
    assert keeper.wire.changes == changes
    # Another process finds it as it is.
    other = Keeper(keeper._url)
    await other.walk(wish)
    assert other.wire.changes == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("POST", "rses", "DRIFT-A", "attr", "country", {"value": "DE"}), "attributes.country"),
        (("DELETE", "rses", "DRIFT-A", "attr", "country", None), "attributes.country"),
        (("POST", "rses", "DRIFT-A", "attr", "rogue", {"value": "x"}), "attributes.rogue"),
        (("PUT", "rses", "DRIFT-A", {"availability_write": False}), "availability_write"),
        (("PUT", "rses", "DRIFT-A", {"rse_type": "TAPE"}), "rse_type"),
        (("PUT", "rses", "DRIFT-A", "limits", {"name": "MinFreeSpace", "value": 1}), "limits.MinFreeSpace"),
        (("DELETE", "rses", "DRIFT-A", "limits", {"name": "MaxSpaceAvailable"}), "limits.MaxSpaceAvailable"),
        (("PUT", "rses", "DRIFT-B", "limits", {"name": "MaxSpaceAvailable", "value": 1}), "limits.MaxSpace"),
        (
            ("PUT", "rses", "DRIFT-A", "protocols", "davs", "disk.example.org", "443", {"prefix": "/x/"}),
            "protocols.davs",
        ),
        (("DELETE", "rses", "DRIFT-A", "protocols", "davs", None), "protocols.davs"),
        (
            (
                "POST",
                "rses",
                "DRIFT-A",
                "protocols",
                "root",
                {"hostname": "x", "port": 1, "prefix": "/", "impl": "x"},
            ),
            "protocols.root",
        ),
        (("DELETE", "rses", "DRIFT-A", None), "created"),
        (("DELETE", "rses", "DRIFT-A", "distances", "DRIFT-B", None), "DRIFT-A to DRIFT-B"),
        (("PUT", "rses", "DRIFT-A", "distances", "DRIFT-B", {"distance": 9}), "DRIFT-A to DRIFT-B"),
        (("PUT", "accounts", "drift", {"status": "SUSPENDED"}), "status"),
        (("DELETE", "accounts", "drift", None), "status"),
        (("PUT", "accounts", "drift", {"email": "x@example.org"}), "email"),
        (("DELETE", "accounts", "drift", "attr", "team", None), "attributes.team"),
        (("POST", "accounts", "drift", "attr", "rogue", {"key": "rogue", "value": "1"}), "attributes.rogue"),
        (
            ("DELETE", "accounts", "drift", "identities", {"identity": "/C=CH/CN=drift", "authtype": "X509"}),
            "identities./C=CH/CN=drift",
        ),
        (("POST", "accounts", "drift", "limits", "global", "*", {"bytes": 1}), "quotas.*"),
        (("DELETE", "accounts", "drift", "limits", "global", "*", None), "quotas.*"),
        (("POST", "accounts", "drift", "limits", "global", "DRIFT-A", {"bytes": 1}), "quotas.DRIFT-A"),
        (("PUT", "subscriptions", "drift", "raw", {"options": {"state": "I"}}), "state"),
        (("PUT", "subscriptions", "drift", "raw", {"options": {"priority": 5}}), "priority"),
        (("PUT", "subscriptions", "drift", "raw", {"options": {"filter": {"scope": ["x"]}}}), "filter"),
        (("POST", "config", {"drift": {"text": "other"}}), "value"),
        (("DELETE", "config", "drift", "text", None), "created"),
    ],
    ids=lambda value: " ".join(map(str, value[:-1])) if isinstance(value, tuple) else "",
)
async def test_what_somebody_changed_by_hand_is_taken_back(
    keeper: Keeper, change: tuple[Any, ...], told: str
) -> None:
    wish = lake("drift")
    await keeper.keep(wish)
    before = await state(keeper, "drift")
    method, *path, body = change
    await keeper.person().change(method, *path, body=body)
    assert await state(keeper, "drift") != before
    keeper.look_again()
    outcomes = await keeper.walk(wish)
    assert told in " ".join(outcome.change for outcome in outcomes.values())
    after = await keeper.keep(wish)
    assert unready(after) == {}
    assert await state(keeper, "drift") == before


async def test_what_is_left_to_people_is_left(keeper: Keeper) -> None:
    aspects = ["Attributes", "Protocols", "Limits", "Settings"]
    wish = {"rses": [storage("FREE-A", unmanaged=aspects)]}
    await keeper.keep(wish)
    made = (await keeper.person().get("export"))["rses"]["FREE-A"]
    assert made["attributes"]["country"] == "FR", "set once"
    person = keeper.person()
    await person.change("POST", "rses", "FREE-A", "attr", "country", body={"value": "DE"})
    await person.change("PUT", "rses", "FREE-A", body={"availability_read": False})
    await person.change("DELETE", "rses", "FREE-A", "protocols", "davs")
    await person.change("DELETE", "rses", "FREE-A", "limits", body={"name": "MinFreeSpace"})
    changes = list(keeper.wire.changes)
    keeper.look_again()
    assert (await keeper.walk(wish))["Rse FREE-A"].ready
    assert keeper.wire.changes == changes


async def test_links_and_their_end(keeper: Keeper) -> None:
    rses = [storage(f"LINK-{letter}") for letter in "ABC"]
    one_way = [{"source": "LINK-A", "destination": "LINK-B", "distance": 3}]
    await keeper.keep({"rses": rses, "distances": {"default": 0, "links": one_way}})
    assert await links(keeper) == {("A", "B"): 3}
    await keeper.keep({"rses": rses, "distances": {"default": 2}})
    assert await links(keeper) == {(a, b): 2 for a in "ABC" for b in "ABC" if a != b}
    await keeper.keep({"rses": rses[:2], "distances": {"default": 0}})
    # A pair with an RSE that is not declared any more is nobody's business.
    assert await links(keeper) == {(a, b): 2 for a in "ABC" for b in "ABC" if a != b and "C" in a + b}
    unknown = [{"source": "LINK-A", "destination": "NOWHERE", "distance": 3}]
    outcomes = await keeper.keep({"rses": rses, "distances": {"links": unknown}})
    assert "NOWHERE" in outcomes["Distances distances"].message
    assert outcomes["Rse LINK-A"].ready


async def test_rses_are_told_without_their_distances_which_take_long(keeper: Keeper) -> None:
    await keeper.keep({"rses": [storage("BARE-A"), storage("BARE-B")]})
    hand = keeper.person()
    whole, short = await hand.get("export"), await hand.get("export", query={"distance": "False"})
    assert whole["distances"]["BARE-A"]["BARE-B"]["distance"] == 1
    assert short == {"rses": whole["rses"]}


async def links(keeper: Keeper) -> dict[tuple[str, str], int]:
    export = await keeper.person().get("export")
    return {
        (source[-1], destination[-1]): one["distance"]
        for source, row in export["distances"].items()
        for destination, one in row.items()
        if source.startswith("LINK-")
    }


async def test_one_that_rucio_refuses_holds_up_no_other(keeper: Keeper) -> None:
    stranger = account("stranger", scopes=["taken"], quotas=[])
    wish = {"accounts": [stranger, account("robber", scopes=["taken"], quotas=[]), account("third")]}
    await keeper.keep({"accounts": [stranger]})
    outcomes = await keeper.keep(wish)
    assert outcomes["Account robber"].message == "Rucio refuses (Duplicate): Scope 'taken' already exists!"
    assert outcomes["Account robber"].terminal
    assert outcomes["Account stranger"].ready
    assert outcomes["Account third"].ready


async def test_an_account_that_is_taken_out_and_at_once_declared_again(keeper: Keeper) -> None:
    wish = {"accounts": [account("hasty", scopes=[], quotas=[], identities=[])]}
    await keeper.keep(wish)
    assert await keeper.remove("Account", "hasty") is True
    assert unready(await keeper.keep(wish)) == {}


async def test_what_is_taken_out_of_the_list(keeper: Keeper) -> None:
    wish = lake("out")
    await keeper.keep(wish)
    assert await keeper.remove("Account", "out") is True
    assert await keeper.remove("Option", "out/text") is True
    assert await keeper.remove("Subscription", "out/raw") is True
    assert await keeper.remove("Rse", "OUT-A", Policy.RELEASE) is True
    left = await state(keeper, "out")
    assert left["account"]["status"] == "SUSPENDED"
    hand = keeper.person()
    await hand.change("PUT", "accounts", "out", body={"status": "ACTIVE"})
    kinds = [one["type"] for one in await hand.get("accounts", "out", "identities")]
    assert "OIDC" not in kinds, "a token of the provider leads into it still"
    assert await keeper.remove("Account", "out") is True, "again"
    assert left["options"] is None
    assert left["subscription"]["on"] is False
    assert sorted(left["rses"]) == ["OUT-A", "OUT-B"]
    assert await keeper.remove("Option", "out/text") is True, "again"
    # What is declared again comes back.
    keeper.look_again()
    outcomes = await keeper.keep(wish)
    assert unready(outcomes) == {}
    assert (await state(keeper, "out"))["account"]["scopes"] == ["out", "out.test"]


async def test_an_rse_with_replicas_passes_for_empty_until_it_is_counted(keeper: Keeper) -> None:
    """Why the operator removes no RSE (docs/decisions/0011): should Rucio learn to count, this fails."""
    await keeper.keep(lake("held"))
    replica = {"scope": "held", "name": "file", "bytes": 1, "adler32": "00000001"}
    await keeper.person().change("POST", "replicas", body={"rse": "HELD-A", "files": [replica]})
    await keeper.person().change("DELETE", "rses", "HELD-A")
    assert "HELD-A" not in (await state(keeper, "held"))["rses"]


async def test_a_subscription_that_nobody_could_follow_says_why(keeper: Keeper) -> None:
    subscriptions = [
        subscription("nobody"),
        subscription("some", rules=[{"rseExpression": "NOWHERE"}]),
    ]
    wish = {
        "accounts": [account("some", quotas=[])],
        "subscriptions": subscriptions,
        "daemons": {"groups": ["Subscriptions"]},
    }
    outcomes = await keeper.keep(wish)
    assert "Its account is not in Rucio" in outcomes["Subscription nobody/raw"].message
    assert "No RSE matches NOWHERE" in outcomes["Subscription some/raw"].message
    assert outcomes["Account some"].ready


async def test_a_token_that_rucio_forgot_is_got_anew(keeper: Keeper, rucio: AtWork) -> None:
    await keeper.keep({"options": [{"section": "token", "option": "a", "value": "1"}]})
    rucio.database.sql("DELETE FROM tokens", database="lake")
    outcomes = await keeper.keep({"options": [{"section": "token", "option": "a", "value": "2"}]})
    assert outcomes["Option token/a"].ready


async def test_a_suspended_tenant_asks_nobody(keeper: Keeper) -> None:
    outcomes = await keeper.walk(lake("asleep"), suspend=True)
    assert unready(outcomes) == {}
    assert (keeper.wire.reads, keeper.wire.changes) == (0, [])


async def test_a_wrong_password_is_told_without_it(rucio: AtWork) -> None:
    outcomes = await Keeper(rucio.url, password="canary").walk({"rses": [storage("SHUT-A")]})
    told = outcomes["Rse SHUT-A"]
    assert told.reason == "CredentialsRefused"
    assert "account root" in told.message
    assert "canary" not in told.message


@pytest.mark.parametrize("at", [1, 4, 9])
async def test_a_database_that_goes_away_is_told_and_waited_for(rucio: AtWork, at: int) -> None:
    """In the middle of the work: Rucio answers, and what it says is an error of its own."""
    prefix, database = f"outage{at}", rucio.database
    broken = Keeper(rucio.url, Wire(at=at, how="after"))
    with pytest.raises(BaseExceptionGroup):
        await broken.walk(lake(prefix))
    survivor = Keeper(rucio.url)
    database.sql("ALTER DATABASE lake WITH ALLOW_CONNECTIONS false")
    try:
        database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lake'")
        outcomes = await survivor.walk(lake(prefix))
    finally:
        database.sql("ALTER DATABASE lake WITH ALLOW_CONNECTIONS true")
    waiting = [one for one in outcomes.values() if not one.ready]
    # What needs another one waits for it.
    assert {"Unavailable"} <= {one.reason for one in waiting} <= {"Unavailable", "Waiting"}
    assert not any(one.terminal for one in waiting)
    assert not any("SELECT" in one.message or "psycopg" in one.message for one in waiting)
    # Each of Rucio's connections that died is an error once more.
    for _ in range(20):
        survivor.look_again()
        if not unready(outcomes := await survivor.keep(lake(prefix), passes=12)):
            break
    assert unready(outcomes) == {}


@pytest.mark.parametrize(("how", "first"), [("before", 1), ("after", 2), ("lost", 3)])
async def test_cut_off_at_every_change(rucio: AtWork, how: str, first: int) -> None:
    """In CI each change in one of the ways, in the long run in all."""
    first = 1 if LONG else first
    await make_home(rucio.url)
    whole = Keeper(rucio.url)
    await whole.keep(modest_lake(f"cut{how}"))
    wanted = await state(whole, f"cut{how}")
    number = len(whole.wire.changes)
    for at in share(range(first, number + 1), 3):
        prefix = f"cut{how}{at}"
        broken = Keeper(rucio.url, Wire(at=at, how=how))
        try:
            await broken.walk(modest_lake(prefix))
            await broken.walk(modest_lake(prefix))
        except* Killed:
            pass
        survivor = broken if how == "lost" else Keeper(rucio.url)
        survivor.look_again()
        outcomes = await survivor.keep(modest_lake(prefix), passes=12)
        assert unready(outcomes) == {}, at
        found = repr(await state(survivor, prefix))
        same = found.replace(prefix.upper(), f"CUT{how.upper()}").replace(prefix, f"cut{how}")
        assert ast.literal_eval(same) == wanted, at
