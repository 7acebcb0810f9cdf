"""Accounts of people in a real Rucio: who comes, changes, leaves and returns, and what nobody touches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rucio.declared import Keeper, Killed, Person, Wire
from tests.rucio.lake import AtWork
from vre_operator.engine.executor import Outcome
from vre_operator.targets.rucio.http import Refused

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ISSUER = "https://login.example.org/realms/vre"
WISH: dict[str, Any] = {
    "people": {
        "enabled": True,
        "maxLeavers": 100,  # the others of this Rucio are other tests'
        "quotas": [
            {"size": "1Ti"},
            {"group": "power users", "size": "10Ti"},
            {"group": "power users", "rseExpression": "country=FR", "size": "1Ti"},
        ],
    }
}
ADMINS = {
    "identity": {
        "issuer": ISSUER,
        "provider": "keycloak-admin",
        "credentialsSecret": {"name": "login"},
        "allowedGroups": ["/ocean"],
        "adminGroups": ["chiefs"],
    }
}
TEBI = 1 << 40


def person(name: str, *groups: str) -> dict[str, Any]:
    return {"name": name, "sub": f"sub of {name}", "email": f"{name}@example.org", "groups": sorted(groups)}


RSES = {"rses": [{"name": "OCEAN-DISK", "attributes": [{"name": "country", "value": "FR"}]}]}


async def keep(keeper: Keeper, *people: dict[str, Any], **wish: Any) -> Outcome:
    keeper.provider.people = list(people)
    lake = {"people": WISH["people"] | wish} | RSES
    return (await keeper.keep(lake, passes=20, **ADMINS))["People people"]


async def scopes(hand: Person, name: str) -> list[str]:
    try:
        return list(await hand.get("scopes", name, "scopes"))
    except Refused:  # it has none
        return []


async def held(hand: Person, name: str) -> dict[str, Any]:
    account = await hand.get("accounts", name)
    if account["status"] != "ACTIVE":
        return {"status": account["status"]}
    attributes = {one["key"]: one["value"] for one in await hand.get("accounts", name, "attr", "")}
    limits = await hand.get("accounts", name, "limits", "global")
    return {
        "status": "ACTIVE",
        "type": account["account_type"],
        "email": account["email"],
        "attributes": {key: value for key, value in attributes.items() if key != "vre-digest"},
        "identities": [one["identity"] for one in await hand.get("accounts", name, "identities")],
        "limits": {key: one["limit"] for key, one in limits.items()},
        "scopes": await scopes(hand, name),
    }


async def test_a_person_has_an_account_a_scope_and_a_share(keeper: Keeper) -> None:
    outcome = await keep(
        keeper, person("alice", "/ocean", "power users"), person("bob", "/ocean"), person("carol", "chiefs")
    )
    assert outcome.ready, outcome.message
    hand = keeper.person()
    assert await held(hand, "alice") == {
        "status": "ACTIVE",
        "type": "USER",
        "email": "alice@example.org",
        "attributes": {"vre-people": True, "ocean": True, "power-users": True},
        "identities": [f"SUB=sub of alice, ISS={ISSUER}"],
        "limits": {"*": 10 * TEBI, "country=FR": TEBI},
        "scopes": ["user.alice"],
    }
    bob = await held(hand, "bob")
    assert bob["limits"] == {"*": TEBI}
    assert bob["attributes"] == {"vre-people": True, "ocean": True}
    assert (await held(hand, "carol"))["attributes"] == {"vre-people": True, "admin": True}


async def test_settled_it_costs_no_request_for_each_and_no_change(keeper: Keeper) -> None:
    people = [person(f"settled{number}", "/ocean") for number in range(20)]
    await keep(keeper, *people)
    keeper.look_again()
    keeper.wire.changes.clear()
    keeper.wire.reads = 0
    assert (await keep(keeper, *people)).ready
    assert keeper.wire.changes == []
    # All accounts, ours, two expressions of quotas, and the RSE.
    assert keeper.wire.reads <= 7


async def test_a_new_operator_reads_the_marks_alone(rucio: AtWork, keeper: Keeper) -> None:
    people = [person(f"marked{number}", "/ocean") for number in range(20)]
    await keep(keeper, *people)
    fresh = Keeper(rucio.url)
    fresh.look_again()
    assert (await keep(fresh, *people)).ready
    assert fresh.wire.changes == []
    # Two logins, and the distances besides.
    assert fresh.wire.reads <= 9 + len(people)


async def test_what_changes_at_the_provider_changes_here(keeper: Keeper) -> None:
    await keep(keeper, person("dave", "/ocean", "power users"))
    changed = person("dave", "/ocean") | {"email": "new@example.org"}
    assert (await keep(keeper, changed)).ready
    dave = await held(keeper.person(), "dave")
    assert dave["email"] == "new@example.org"
    assert dave["limits"] == {"*": TEBI}
    assert "power-users" not in dave["attributes"]


async def test_who_leaves_is_suspended_and_comes_back_with_everything(keeper: Keeper) -> None:
    both = [person("erin", "/ocean"), person("frank", "/ocean")]
    await keep(keeper, *both)
    hand = keeper.person()
    before = await held(hand, "erin")
    assert (await keep(keeper, both[1])).ready
    assert await held(hand, "erin") == {"status": "SUSPENDED"}
    assert (await held(hand, "frank"))["status"] == "ACTIVE"
    await hand.change("PUT", "accounts", "erin", body={"status": "ACTIVE"})
    assert (await held(hand, "erin"))["identities"] == [], "a token of the provider leads into it still"
    assert (await keep(keeper, *both)).ready
    assert await held(hand, "erin") == before


async def test_too_many_leavers_are_nobody_until_a_person_says_so(keeper: Keeper) -> None:
    people = [person(f"many{number}", "/ocean") for number in range(8)]
    await keep(keeper, *people)
    outcome = await keep(keeper, people[0], maxLeavers=10)
    assert not outcome.ready
    assert "7 of 8 people are gone from the provider's groups (many1, many2," in outcome.message
    hand = keeper.person()
    assert (await held(hand, "many7"))["status"] == "ACTIVE"
    word = outcome.message.partition("confirmedLeavers to ")[2].partition(";")[0]
    outcome = await keep(keeper, people[0], people[1], maxLeavers=10, confirmedLeavers=word)
    assert outcome.result == "Failed", "these are others"
    assert (await keep(keeper, people[0], maxLeavers=10, confirmedLeavers=word)).ready
    assert {(await held(hand, one["name"]))["status"] for one in people[1:]} == {"SUSPENDED"}
    assert (await held(hand, "many0"))["status"] == "ACTIVE"


async def test_accounts_of_others_are_left_alone(keeper: Keeper) -> None:
    hand = keeper.person()
    await hand.change("POST", "accounts", "visitor", body={"type": "USER", "email": ""})
    keeper.provider.people = [person("service", "/ocean"), person("grace", "/ocean")]
    lake = WISH | RSES | {"accounts": [{"name": "service", "email": "s@example.org"}]}
    outcomes = await keeper.keep(lake, passes=20, **ADMINS)
    assert outcomes["People people"].ready
    assert outcomes["Account service"].ready
    assert (await held(hand, "visitor"))["status"] == "ACTIVE"
    service = await held(hand, "service")
    assert (service["type"], service["email"]) == ("SERVICE", "s@example.org")
    assert (await held(hand, "root"))["status"] == "ACTIVE"


async def test_what_a_person_added_by_hand_stays_and_what_was_damaged_is_mended(keeper: Keeper) -> None:
    await keep(keeper, person("heidi", "/ocean"))
    hand = keeper.person()
    extra = {"identity": "/C=CH/CN=heidi", "authtype": "X509", "email": "", "default": False}
    await hand.change("POST", "accounts", "heidi", "identities", body=extra)
    await hand.change("POST", "accounts", "heidi", "attr", "team", body={"key": "team", "value": "7"})
    await hand.change("POST", "accounts", "heidi", "limits", "global", "OCEAN-DISK", body={"bytes": 5})
    await hand.change("POST", "accounts", "heidi", "limits", "global", "*", body={"bytes": 1})
    keeper.ahead += 25 * 3600.0
    assert (await keep(keeper, person("heidi", "/ocean"))).ready
    heidi = await held(hand, "heidi")
    assert heidi["limits"] == {"*": TEBI, "OCEAN-DISK": 5}
    assert heidi["attributes"]["team"] == "7"
    assert "/C=CH/CN=heidi" in heidi["identities"]


async def test_a_refused_account_is_told_and_holds_nobody_up(keeper: Keeper) -> None:
    hand = keeper.person()
    await hand.change("POST", "accounts", "thief", body={"type": "SERVICE", "email": ""})
    await hand.change("POST", "accounts", "thief", "scopes", "user.ivan")
    outcome = await keep(keeper, person("ivan", "/ocean"), person("judy", "/ocean"))
    assert outcome.result == "Failed"
    assert "account ivan: " in outcome.message
    assert (await held(hand, "judy"))["scopes"] == ["user.judy"]


async def test_a_quota_where_no_rse_is_would_end_all_rules_and_is_not_set(keeper: Keeper) -> None:
    quotas = [{"size": "1Ti"}, {"rseExpression": "country=SE", "size": "1Ti"}]
    mallory = person("mallory", "/ocean")
    outcome = await keep(keeper, mallory, quotas=quotas)
    assert outcome.result == "Progressing"
    assert "No RSE matches country=SE" in outcome.message
    hand = keeper.person()
    assert (await held(hand, "mallory"))["limits"] == {"*": TEBI}
    # What somebody sets by hand, and what stays when the last RSE goes, is such a quota, too.
    await hand.change("POST", "accounts", "mallory", "limits", "global", "country=SE", body={"bytes": 1})
    keeper.ahead += 25 * 3600.0
    await keep(keeper, mallory, quotas=quotas)
    assert (await held(hand, "mallory"))["limits"] == {"*": TEBI}


async def test_problems_at_the_provider_are_told(keeper: Keeper) -> None:
    keeper.provider.problems = "kim@example.org is no name for an account"
    outcome = await keep(keeper, person("kim", "/ocean"))
    assert outcome.result == "Failed"
    assert "kim@example.org is no name" in outcome.message


@pytest.mark.parametrize("how", ["before", "after"])
async def test_killed_at_each_change_it_comes_to_the_same(rucio: AtWork, how: str) -> None:
    at = 0
    while True:
        at += 1
        name = f"killed{how[0]}{at}"
        wire = Wire(at=at, how=how)
        hit = False
        try:
            await keep(Keeper(rucio.url, wire), person(name, "/ocean", "power users"))
        except* Killed:
            hit = True
        if not hit:
            break
        again = Keeper(rucio.url)
        assert (await keep(again, person(name, "/ocean", "power users"))).ready
        made = await held(again.person(), name)
        assert made["limits"] == {"*": 10 * TEBI, "country=FR": TEBI}
        assert made["attributes"] == {"vre-people": True, "ocean": True, "power-users": True}
        assert made["scopes"] == [f"user.{name}"]
    assert at > 8
