"""Who may do what in a real Rucio whose tenant brings no policy package."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.rucio.declared import Keeper, Person
from tests.rucio.lake import AtWork
from vre_operator.targets.rucio.http import Login, Refused

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HERE, ELSEWHERE = "OCEAN-DISK", "OCEAN-TAPE"
MEBI = 1 << 20


async def people(rucio: AtWork) -> tuple[Person, Person, Person]:
    """Root, and alice and bob: each with a scope, and a quota HERE."""
    root = Keeper(rucio.url).person()
    for rse in (HERE, ELSEWHERE):
        await root.change("POST", "rses", rse, body={"deterministic": True}, but=("Duplicate",))
    return root, await one(rucio, root, "alice"), await one(rucio, root, "bob")


async def one(rucio: AtWork, root: Person, name: str) -> Person:
    await root.change("POST", "accounts", name, body={"type": "USER", "email": ""}, but=("Duplicate",))
    identity = {
        "identity": name,
        "authtype": "USERPASS",
        "email": "",
        "password": "s3same-open",
        "default": False,
    }
    await root.change("POST", "accounts", name, "identities", body=identity, but=("Duplicate",))
    await root.change("POST", "scopes", name, f"user.{name}", but=("Duplicate",))
    for kind, where in (("local", HERE), ("global", "*")):
        await root.change("POST", "accounts", name, "limits", kind, where, body={"bytes": -1})
    return Person(Login(rucio.url, name, name, "s3same-open"), clock=time.monotonic)


def replica(scope: str, name: str, state: str) -> dict[str, Any]:
    return {"scope": scope, "name": name, "bytes": MEBI, "adler32": "0cc737eb", "state": state}


async def register(person: Person, scope: str, name: str, rse: str = HERE) -> None:
    await person.change("POST", "replicas", body={"rse": rse, "files": [replica(scope, name, "C")]})


async def set_state(person: Person, scope: str, name: str, state: str) -> None:
    await person.change("PUT", "replicas", body={"rse": HERE, "files": [replica(scope, name, state)]})


async def refused(asked: Awaitable[Any]) -> None:
    with pytest.raises(Refused) as caught:
        await asked
    assert caught.value.kind == "AccessDenied"


async def states(root: Person, scope: str, name: str) -> dict[str, str]:
    body = {"dids": [{"scope": scope, "name": name}], "all_states": True}
    (found,) = await root.ask("POST", "replicas", "list", body=body)
    return dict(found["states"])


async def test_an_upload_of_ones_own_is_begun_and_ended(rucio: AtWork) -> None:
    root, alice, _ = await people(rucio)
    await register(alice, "user.alice", "mine")
    assert await states(root, "user.alice", "mine") == {HERE: "COPYING"}
    await set_state(alice, "user.alice", "mine", "A")
    assert await states(root, "user.alice", "mine") == {HERE: "AVAILABLE"}


async def test_nothing_of_others_is_touched(rucio: AtWork) -> None:
    root, alice, bob = await people(rucio)
    await register(alice, "user.alice", "hers")
    await refused(register(bob, "user.alice", "new"))
    await refused(register(bob, "user.alice", "hers"))
    await refused(set_state(bob, "user.alice", "hers", "A"))
    both = [replica("user.bob", "his", "A"), replica("user.alice", "hers", "A")]
    await refused(bob.change("PUT", "replicas", body={"rse": HERE, "files": both}))
    assert await states(root, "user.alice", "hers") == {HERE: "COPYING"}


async def test_where_one_has_no_quota_nothing_is_placed(rucio: AtWork) -> None:
    _, alice, _ = await people(rucio)
    await refused(register(alice, "user.alice", "elsewhere", ELSEWHERE))


@pytest.mark.parametrize("state", ["D", "U", "B"])
async def test_a_replica_is_there_or_nothing_is_said_of_it(rucio: AtWork, state: str) -> None:
    """Rucio would delete what is said to be on its way out, with rules or without."""
    root, alice, _ = await people(rucio)
    await register(alice, "user.alice", f"state-{state}")
    await refused(set_state(alice, "user.alice", f"state-{state}", state))
    assert await states(root, "user.alice", f"state-{state}") == {HERE: "COPYING"}


async def test_a_rule_is_given_up_by_whoever_asked_for_it(rucio: AtWork) -> None:
    root, alice, bob = await people(rucio)
    await register(alice, "user.alice", "ruled")
    await set_state(alice, "user.alice", "ruled", "A")
    rule = {
        "dids": [{"scope": "user.alice", "name": "ruled"}],
        "account": "alice",
        "copies": 1,
        "rse_expression": HERE,
    }
    await alice.change("POST", "rules", "", body=rule)
    (made,) = await root.get("dids", "user.alice", "ruled", "rules")
    number = made["id"]
    await refused(bob.change("PUT", "rules", number, body={"options": {"lifetime": 3600}}))
    await refused(bob.change("DELETE", "rules", number, body={}))
    await refused(alice.change("PUT", "rules", number, body={"options": {"account": "bob"}}))
    await refused(alice.change("PUT", "rules", number, body={"options": {"lifetime": 60, "locked": True}}))
    await alice.change("PUT", "rules", number, body={"options": {"lifetime": 86400}})
    before = await root.get("rules", number)
    await alice.change("DELETE", "rules", number, body={})
    after = await root.get("rules", number)
    assert before["expires_at"]
    assert after["expires_at"] != before["expires_at"]


async def test_who_has_admin_may_as_before(rucio: AtWork) -> None:
    root, alice, _ = await people(rucio)
    chief = await one(rucio, root, "chief")
    await root.change("POST", "accounts", "chief", "attr", "admin", body={"key": "admin", "value": "true"})
    await register(alice, "user.alice", "helped")
    await set_state(chief, "user.alice", "helped", "A")
    assert await states(root, "user.alice", "helped") == {HERE: "AVAILABLE"}
    await register(chief, "user.alice", "brought", ELSEWHERE)


async def test_a_token_of_a_suspended_account_is_good_for_nothing(rucio: AtWork) -> None:
    root, _, _ = await people(rucio)
    gone = await one(rucio, root, "gone")
    await register(gone, "user.gone", "before")
    await root.change("PUT", "accounts", "gone", body={"status": "SUSPENDED"})
    await refused(register(gone, "user.gone", "after"))
    await refused(set_state(gone, "user.gone", "before", "A"))
