"""Whole passes over a tenant, with the engine's in-memory world and a small plan in place of the components."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from tests.unit.engine.world import Killed, res, rid
from tests.unit.runtime.rig import KEY, PLAN, Rig, make_rig
from vre_operator.api import names
from vre_operator.api.status import Registration
from vre_operator.engine.resources import OIDC, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Readiness, State
from vre_operator.runtime.publish import Publisher


@pytest.fixture
def rig() -> Rig:
    return make_rig()


async def test_from_nothing_to_ready_with_the_inventory_written_first(rig: Rig) -> None:
    seen: list[list[str]] = []

    def check(verb: str, resource: ResourceId) -> None:
        if verb == "before apply":
            seen.append(rig.inventory())

    rig.world.fault = check
    wait = await rig.run()
    assert seen[0] == ["ns", "volume", "db", "hub"]
    assert rig.cluster.writes == ["finalizers=['vre.science/finalizer']", "status", "status"]
    assert (rig.cluster.ready["status"], rig.cluster.ready["reason"]) == ("True", "Ready")
    assert rig.cluster.obj["status"]["endpoints"] == {"url": "https://vre.example.org"}
    assert rig.cluster.obj["status"]["hostnames"] == ["vre.example.org"]
    assert wait is not None
    assert 600 <= wait <= 660


async def test_no_endpoints_are_no_empty_map(rig: Rig) -> None:
    """An apply that empties a map of ours makes it null, which the API server refuses for ever."""
    await rig.run()
    rig.cluster.obj["spec"]["notebooks"] = {"enabled": False}
    rig.change(generation=2)
    await rig.run()
    assert "endpoints" not in rig.cluster.obj["status"]
    assert rig.cluster.obj["status"]["observedGeneration"] == 2


async def test_what_a_person_enters_at_the_provider_is_told_in_full(rig: Rig) -> None:
    body = {
        "provider": "manual",
        "redirect_uris": ["https://vre.example.org/hub/oauth_callback"],
        "post_logout_redirect_uris": ["https://vre.example.org/"],
        "scopes": ["openid", "eduperson_entitlement"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
        "groups_claim": "eduperson_entitlement",
        "pkce": True,
        "display_name": "Notebooks at vre.example.org",
    }
    rig.plan.append(Resource(ResourceId(OIDC, "Client", "", "hub"), "identity", body))
    rig.reconciler = replace(rig.reconciler, targets={**rig.reconciler.targets, OIDC: rig.world})
    await rig.run()
    (told,) = rig.cluster.obj["status"]["registration"]
    assert told == {
        "role": "hub",
        "name": "Notebooks at vre.example.org",
        "redirectUris": ["https://vre.example.org/hub/oauth_callback"],
        "postLogoutRedirectUris": ["https://vre.example.org/"],
        "scopes": ["openid", "eduperson_entitlement"],
        "grantTypes": ["authorization_code", "refresh_token"],
        "tokenEndpointAuthMethod": "client_secret_post",
        "pkce": "S256",
        "groupsClaim": "eduperson_entitlement",
    }
    assert Registration.model_validate(told).model_dump(by_alias=True, mode="json") == told


async def test_a_settled_tenant_costs_nothing_also_after_a_restart(rig: Rig) -> None:
    await rig.run()
    rig.cluster.writes.clear()
    rig.world.log.clear()
    await rig.run()
    rig.restart()
    await rig.run()
    assert (rig.cluster.writes, rig.world.log) == ([], [])
    assert [reason for reason, _ in rig.cluster.events] == ["Ready"]


async def test_a_seal_is_of_this_wish_this_build_and_this_content(rig: Rig) -> None:
    await rig.run()
    seal = rig.cluster.obj["status"]["seal"]
    rig.restart()
    walked: list[str] = []
    rig.world.fault = lambda verb, resource: walked.append(verb)
    await rig.run()
    assert walked == []
    rig.restart(build="1")
    await rig.run()
    assert "observe" in walked, "another build looks for itself"
    assert rig.cluster.obj["status"]["seal"] == seal, "and writes nothing for the sake of its seal alone"
    walked.clear()
    rig.restart(build="1")
    rig.world.stands[rid("hub")] = "spoiled meanwhile"
    await rig.run()
    assert "after apply" in walked


async def test_a_seal_that_the_operator_did_not_make_proves_nothing(rig: Rig) -> None:
    """A tenant's admin may be able to write the status, and knows how a seal is made."""
    await rig.run()
    rig.world.stands[rid("hub")] = "torn down"
    rig.restart(key=b"not the operator's")
    rig.reconciler.tenants.put(rig.cluster.obj)
    forger = rig.reconciler.sealer
    report = rig.reconciler.publisher.open(rig.cluster.obj)
    tenant = Tenant("atlas", "vre", "u1", "c")
    forged = forger.seal(tenant, rig.cluster.obj, report.inventory, rig.reconciler.targets, walked=False)
    assert forged is not None
    rig.cluster.obj["status"]["seal"] = forged.digest
    rig.restart()
    await rig.run()
    assert rig.world.stands[rid("hub")] != "torn down"


async def test_what_changes_behind_a_walk_is_not_sealed(rig: Rig) -> None:
    """It was changed after it was looked at: the seal would call it well."""

    def spoil(verb: str, resource: ResourceId) -> None:
        if (verb, resource) == ("observe", rid("hub")):
            rig.world.unseen.add(rid("ns"))

    rig.world.fault = spoil
    await rig.run()
    rig.world.fault = lambda verb, resource: None
    assert "seal" not in rig.cluster.obj["status"]
    rig.world.stands[rid("ns")] = "spoiled"
    rig.world.unseen.clear()
    await rig.run()
    assert rig.world.stands[rid("ns")] != "spoiled"


async def test_a_new_seal_alone_is_no_write_between_resyncs(rig: Rig) -> None:
    await rig.run()
    rig.cluster.writes.clear()
    rig.world.outsider += 1
    await rig.run()
    assert rig.cluster.writes == []


async def test_the_first_seal_is_written_as_soon_as_there_is_one(rig: Rig) -> None:
    """The last object of a creation may change behind the walk that finds all ready."""
    rig.world.fault = lambda verb, resource: rig.world.unseen.add(rid("ns"))
    await rig.run()
    rig.world.fault = lambda verb, resource: None
    assert (rig.cluster.ready["status"], "seal" in rig.cluster.obj["status"]) == ("True", False)
    rig.world.unseen.clear()
    rig.cluster.writes.clear()
    await rig.run()
    await rig.run()
    assert (rig.cluster.writes, "seal" in rig.cluster.obj["status"]) == (["status"], True)


async def test_a_change_that_is_done_within_a_second_is_told_once() -> None:
    rig = make_rig()
    rig.restart(quiet=60)
    await rig.run()
    rig.cluster.writes.clear()
    rig.change(generation=2)
    rig.world.readiness[rid("hub")] = Readiness(State.PROGRESSING, "Progressing", "0 of 1")
    await rig.run()
    assert rig.cluster.writes == []
    del rig.world.readiness[rid("hub")]
    await rig.run()
    assert rig.cluster.writes == ["status"]
    assert rig.cluster.obj["status"]["observedGeneration"] == 2


async def test_what_is_passing_is_not_told_at_every_step() -> None:
    rig = make_rig()
    rig.restart(quiet=60)
    for number in range(5):
        rig.world.readiness[rid("db")] = Readiness(State.PROGRESSING, "Progressing", f"{number} of 5")
        assert (await rig.run() or 0) <= 60
    assert rig.cluster.writes == ["finalizers=['vre.science/finalizer']", "status"]
    rig.world.readiness[rid("db")] = Readiness(State.FAILED, "ImagePullFailed", "no such image")
    await rig.run()
    assert rig.cluster.ready["reason"] == "ImagePullFailed", "what needs somebody is told at once"
    del rig.world.readiness[rid("db")]
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    assert [reason for reason, _ in rig.cluster.events] == ["ImagePullFailed", "Ready"]


async def test_what_goes_on_passing_is_told_ever_less_often(rig: Rig) -> None:
    publisher = Publisher(rig.cluster, rig.cluster, rig.tenants, quiet=1)
    waits = [round(publisher.patience(KEY))]
    for _ in range(5):
        publisher.told(KEY, passing=True)
        waits.append(round(publisher.patience(KEY)))
    publisher.told(KEY, passing=False)
    assert [*waits, round(publisher.patience(KEY))] == [1, 2, 4, 4, 4, 4, 1]


async def test_what_failed_is_tried_soon_whenever_others_want_to_be_looked_at(rig: Rig) -> None:
    rig.world.readiness[rid("hub")] = Readiness(State.FAILED, "CredentialsRefused", "no")
    rig.world.rechecks[rid("ns")] = 1800
    waits = [await rig.run() or 0 for _ in range(12)]
    assert waits[0] < 2
    assert 60 <= waits[-1] <= 66


async def test_drift_is_repaired_and_told(rig: Rig) -> None:
    await rig.run()
    del rig.world.stands[rid("hub")]
    await rig.run()
    assert rid("hub") in rig.world.stands
    assert rig.cluster.events[-1] == ("Repaired", "ConfigMap hub created")


async def test_a_credential_that_lives_longer_was_renewed_and_one_that_does_not_was_repaired(rig: Rig) -> None:
    rig.world.ends[rid("hub")] = 1_800_000_000.0
    await rig.run()
    assert rig.cluster.obj["status"]["credentials"] == [
        {"name": "ConfigMap hub", "expires": "2027-01-15T08:00:00Z"}
    ]
    for ends, told in ((1_800_000_000.0, "Repaired"), (1_810_000_000.0, "Renewed")):
        rig.world.stands[rid("hub")] = "other"
        rig.world.ends[rid("hub")] = ends
        await rig.run()
        assert rig.cluster.events[-1][0] == told
    assert rig.cluster.obj["status"]["credentials"][0]["expires"] > "2027-02"


async def test_what_cannot_be_told_just_now_ends_when_it_was_told_to_end(rig: Rig) -> None:
    rig.world.ends[rid("hub")] = 1_800_000_000.0
    await rig.run()
    before = rig.cluster.obj["status"]["credentials"]
    del rig.world.ends[rid("hub")]
    rig.world.readiness[rid("hub")] = Readiness(State.PROGRESSING, "Unavailable", "no answer")
    rig.change(generation=2)
    await rig.run()
    assert rig.cluster.obj["status"]["credentials"] == before
    del rig.world.readiness[rid("hub")]
    rig.change(generation=3)
    await rig.run()
    assert not rig.cluster.obj["status"].get("credentials")


async def test_what_ends_soon_is_a_warning_once_and_ready_stays_true(rig: Rig) -> None:
    await rig.run()
    rig.world.readiness[rid("hub")] = Readiness(State.READY, "SecretExpires", "it ends")
    for generation in (2, 3):
        rig.change(generation=generation)
        await rig.run()
    told = [event for event in rig.cluster.events if event[0] == "SecretExpires"]
    assert told == [("SecretExpires", "ConfigMap hub in atlas: it ends")]
    assert "SecretExpires" in rig.cluster.warnings
    assert (rig.cluster.ready["status"], rig.cluster.ready["reason"]) == ("True", "Ready")
    found = {item["type"]: (item["status"], item["reason"]) for item in rig.cluster.obj["status"]["conditions"]}
    assert found["HubReady"] == ("True", "SecretExpires")


async def test_what_the_plan_drops_goes_and_data_stays(rig: Rig) -> None:
    await rig.run()
    rig.plan = [PLAN[0], PLAN[3], res("extra", component="hub")]
    rig.plan[1] = res("hub", "ns")
    rig.change(generation=2)
    await rig.run()
    assert rig.world.deleted() == ["db"]
    assert rid("volume") in rig.world.stands
    assert sorted(rig.inventory()) == ["extra", "hub", "ns", "volume"]


async def test_a_target_is_told_when_nothing_of_it_is_wanted_any_more(rig: Rig) -> None:
    """To take an account out of a Rucio that goes as a whole would only hold that up."""
    await rig.run()
    rig.plan = rig.plan[:3]
    rig.change(generation=2)
    await rig.run()
    assert rig.world.left == [frozenset()]
    rig.change(deletionTimestamp="2026-01-02T00:00:00Z")
    await rig.run()
    assert set(rig.world.left[1:]) == {frozenset({rig.world.name})}


async def test_a_prune_of_more_than_half_waits_for_a_word(rig: Rig) -> None:
    await rig.run()
    rig.plan = [res("other", component="tenancy")]
    rig.change(generation=2)
    await rig.run()
    assert rig.world.deleted() == []
    assert rig.cluster.ready["reason"] == "PruneHeld"
    assert "kubectl -n atlas annotate vre vre vre.science/allow-prune=2" in rig.cluster.ready["message"]
    rig.change(annotations={names.ALLOW_PRUNE_ANNOTATION: "0"})
    await rig.run()
    assert rig.world.deleted() == []
    rig.change(annotations={names.ALLOW_PRUNE_ANNOTATION: "2"})
    await rig.run()
    assert rig.world.deleted() == ["hub", "db", "ns"]
    assert rig.cluster.ready["status"] == "True"


async def test_a_wrong_spec_stalls_and_touches_nothing(rig: Rig) -> None:
    await rig.run()
    rig.cluster.obj["spec"]["hostname"] = "Not A Host"
    rig.change(generation=2)
    rig.world.log.clear()
    assert await rig.run() is None
    assert rig.world.log == []
    assert rig.cluster.ready["reason"] == "InvalidSpec"
    assert "spec.hostname" in rig.cluster.ready["message"]
    assert rid("hub") in rig.world.stands
    assert len(rig.inventory()) == 4
    types = [item["type"] for item in rig.cluster.obj["status"]["conditions"]]
    assert "HubReady" in types, "what is known of the components stays"


async def test_a_taken_hostname_stalls(rig: Rig) -> None:
    rival = deepcopy(rig.cluster.obj)
    rival["metadata"] |= {"namespace": "rival", "uid": "u0"}
    rival["status"] = {"hostnames": ["vre.example.org"]}
    rig.tenants.put(rival)
    await rig.run()
    assert rig.cluster.ready["reason"] == "HostnameTaken"
    assert rig.world.log == []
    rig.tenants.drop(("rival", "vre"))
    await rig.run()
    assert rig.cluster.ready["status"] == "True"


async def test_failures_back_off_and_success_forgets(rig: Rig) -> None:
    rig.world.readiness[rid("hub")] = Readiness(State.FAILED, "CrashLooping", "exit 1")
    waits = [await rig.run() for _ in range(3)]
    assert [round(wait or 0) for wait in waits] == [1, 2, 4]
    rig.world.readiness.clear()
    await rig.run()
    rig.world.readiness[rid("hub")] = Readiness(State.FAILED, "CrashLooping", "exit 1")
    assert round(await rig.run() or 0) == 1


async def test_a_bug_is_told_without_its_text(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def crash(verb: str, resource: ResourceId) -> None:
        raise RuntimeError("password hunter2")

    rig.world.fault = crash
    assert await rig.run() is not None
    assert rig.cluster.ready["reason"] == "InternalError"
    assert "hunter2" not in str(rig.cluster.obj["status"]) + str(rig.cluster.events)
    assert "pass failed" in caplog.text


WRITES = ["finalizers=['vre.science/finalizer']", "status"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
async def test_killed_at_a_write_of_the_tenant_itself(rig: Rig, moment: str, write: str) -> None:
    def kill(what: str) -> None:
        if what == f"{moment} {write}":
            rig.cluster.fault = lambda _: None
            raise Killed

    rig.cluster.fault = kill
    with pytest.raises(Killed):
        await rig.run()
    rig.restart()
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    assert rig.world.applied() == ["ns", "volume", "db", "hub"]


async def test_what_has_another_in_its_place_stays_until_that_is_made(rig: Rig) -> None:
    """A Gateway that is not there must not cost a site its Ingresses."""
    rig.plan.append(res("ingress", "hub"))
    await rig.run()
    gateway = res("gateway", policy=Policy.EXTERNAL)
    rig.plan[-1:] = [gateway, replace(res("route", "gateway"), replaces=rid("ingress"))]
    rig.change(generation=2)
    rig.world.readiness[gateway.id] = Readiness(State.FAILED, "GatewayNotFound", "is not there")
    await rig.run()
    assert rid("ingress") in rig.world.stands
    assert "ingress" in rig.inventory()
    assert rig.cluster.ready["reason"] == "GatewayNotFound"
    del rig.world.readiness[gateway.id]
    rig.change(generation=3)
    await rig.run()
    assert rid("ingress") not in rig.world.stands
    assert "ingress" not in rig.inventory()
    assert rig.cluster.ready["status"] == "True"
