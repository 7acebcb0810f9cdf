import asyncio
import gc
from dataclasses import replace

import pytest

from tests.unit.engine.world import TENANT, Killed, World, res, rid
from vre_operator.engine.errors import Conflict, Unavailable
from vre_operator.engine.executor import Outcome, Result, Walk, prune
from vre_operator.engine.inventory import Inventory
from vre_operator.engine.plan import make_plan
from vre_operator.engine.refs import ContentDigest, OutcomeOf, Ref
from vre_operator.engine.resources import Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, Promise, Readiness, State

WAITING = Readiness(State.PROGRESSING, "Progressing", "0 of 1 replicas")


async def walk(world: World, *resources: Resource) -> dict[str, Outcome]:
    outcomes = await Walk(TENANT, make_plan(resources), {world.name: world}).run()
    return {resource.name: outcome for resource, outcome in outcomes.items()}


async def test_absent_is_applied_in_order_and_a_second_walk_does_nothing() -> None:
    world = World()
    plan = [res("c", "b"), res("b", "a"), res("a")]
    outcomes = await walk(world, *plan)
    assert world.applied() == ["a", "b", "c"]
    assert all(outcome.ready and outcome.change == "created" for outcome in outcomes.values())
    outcomes = await walk(world, *plan)
    assert world.applied() == ["a", "b", "c"]
    assert not any(outcome.change for outcome in outcomes.values())


async def test_what_is_not_ready_holds_back_its_dependents_only() -> None:
    world = World(readiness={rid("db"): WAITING})
    outcomes = await walk(world, res("db"), res("job", "db"), res("hub", "job"), res("proxy"))
    assert world.applied() == ["db", "proxy"] or world.applied() == ["proxy", "db"]
    assert outcomes["db"].result is Result.PROGRESSING
    assert outcomes["hub"].result is Result.BLOCKED
    assert outcomes["hub"].blocked_by == rid("db"), "the root, not the one in between"
    world.readiness.clear()
    assert all(
        outcome.ready
        for outcome in (await walk(world, res("db"), res("job", "db"), res("hub", "job"))).values()
    )


async def test_a_need_that_goes_away_later_does_not_unmake_what_stands() -> None:
    world = World()
    plan = [res("db"), res("job", "db"), res("hub", "job")]
    await walk(world, *plan)
    world.readiness[rid("db")] = WAITING
    outcomes = await walk(world, *plan)
    assert outcomes["job"].ready
    assert outcomes["hub"].ready
    del world.stands[rid("hub")]
    world.stands[rid("job")] = "drifted"
    outcomes = await walk(world, *plan)
    assert outcomes["job"].result is Result.BLOCKED, "a change waits for its needs"
    assert outcomes["hub"].blocked_by == rid("db")


async def test_values_flow_and_changed_values_roll_what_carries_their_digest() -> None:
    world = World(outputs={rid("secret"): {"password": "first"}})
    plan = [
        res("secret"),
        res("config", url=Ref(rid("secret"), "password")),
        res("pods", annotation=ContentDigest(rid("config"))),
        res("apart"),
    ]
    await walk(world, *plan)
    world.log.clear()
    world.outputs[rid("secret")] = {"password": "second"}
    outcomes = await walk(world, *plan)
    assert world.applied() == ["config", "pods"]
    assert outcomes["config"].change == "updated: digest"


async def test_how_another_does_is_told_and_holds_nothing_back() -> None:
    """A check that fails, or cannot even be made, is no reason for what stands to stop."""
    check, offer = res("check"), res("offer", checked=OutcomeOf(rid("check")))
    plan = [offer, res("list", of=Ref(rid("offer"), "x")), check]
    world = World(readiness={rid("check"): WAITING}, outputs={rid("offer"): {"x": "one"}})
    outcomes = await walk(world, *plan)
    assert world.applied() == ["check", "offer", "list"]
    assert outcomes["list"].ready
    world.readiness.clear()
    world.log.clear()
    await walk(world, *plan)
    assert world.applied() == ["offer"], "now it is ready, and what is wanted of the other one has changed"


async def test_a_value_of_what_is_not_ready_is_taken_and_a_lacking_one_waited_for() -> None:
    offer = res("offer")
    plan = [offer, res("list", of=Ref(offer.id, "x", ready=False))]
    world = World(readiness={offer.id: WAITING}, outputs={offer.id: {"x": "one"}})
    assert (await walk(world, *plan))["list"].ready
    world.log.clear()

    def away(verb: str, resource: ResourceId) -> None:
        if resource == offer.id:
            raise Unavailable("away")

    world.fault = away
    assert (await walk(world, *plan))["list"].result is Result.BLOCKED
    assert world.applied() == [], "what stands stays"


async def test_a_value_that_may_be_lacking_holds_nothing_back() -> None:
    secret = res("secret")
    plan = [secret, res("images", login=Ref(secret.id, "config", otherwise=""))]
    world = World(outputs={secret.id: {"config": "me"}})

    def away(verb: str, resource: ResourceId) -> None:
        if resource == secret.id:
            raise Unavailable("away")

    world.fault = away
    outcomes = await walk(world, *plan)
    assert (outcomes["secret"].ready, outcomes["images"].ready) == (False, True)
    world.log.clear()
    world.fault = lambda verb, resource: None
    await walk(world, *plan)
    assert world.applied() == ["secret", "images"]


async def test_a_value_that_is_not_there_yet_blocks() -> None:
    outcomes = await walk(World(), res("secret"), res("config", url=Ref(rid("secret"), "password")))
    assert outcomes["config"].result is Result.BLOCKED
    assert outcomes["config"].message == "ConfigMap config waits for ConfigMap secret"


async def test_foreign_objects_are_told_and_never_touched() -> None:
    world = World(foreign={rid("a")})
    outcomes = await walk(world, res("a"), res("b", "a"))
    assert world.log == []
    assert (outcomes["a"].result, outcomes["a"].reason, outcomes["a"].terminal) == (
        Result.FAILED,
        "OwnedByOther",
        True,
    )
    assert outcomes["b"].result is Result.BLOCKED


async def test_external_resources_are_only_read() -> None:
    missing = Readiness(State.FAILED, "SecretNotFound", "Secret login does not exist")
    world = World(readiness={rid("theirs"): missing})
    outcomes = await walk(world, res("theirs", policy=Policy.EXTERNAL), res("b", "theirs"))
    assert world.log == []
    assert (outcomes["theirs"].reason, outcomes["b"].result) == ("SecretNotFound", Result.BLOCKED)


async def test_an_error_of_a_target_is_an_outcome_and_the_rest_goes_on() -> None:
    def refuse(verb: str, resource: ResourceId) -> None:
        if resource.name == "a" and verb == "before apply":
            raise Unavailable("no answer", remedy="Look at the network.", retry_after=7)

    world = World(fault=refuse)
    outcomes = await walk(world, res("a"), res("b"))
    assert outcomes["a"].message == "no answer. Look at the network."
    assert outcomes["a"].recheck_after == 7
    assert outcomes["b"].ready


async def test_who_does_not_answer_while_what_it_needs_is_not_ready_waits() -> None:
    def away(verb: str, resource: ResourceId) -> None:
        if resource.name == "rse":
            raise Unavailable("no connection to rucio")

    plan = [res("server"), res("rse", "server")]
    world = World(readiness={rid("server"): WAITING}, fault=away)
    outcomes = await walk(world, *plan)
    assert outcomes["rse"].result is Result.BLOCKED
    assert outcomes["rse"].blocked_by == rid("server")
    world.readiness.clear()
    outcomes = await walk(world, *plan)
    assert outcomes["rse"].result is Result.FAILED
    assert outcomes["rse"].message == "no connection to rucio"


async def test_what_could_not_be_changed_and_goes_on_was_not_changed() -> None:
    good = Readiness(State.READY, "RenewalFailed", "good until tomorrow")

    class Stubborn(World):
        async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
            return Observation(Presence.DRIFTED, good, expires=7.0)

    outcomes = await walk(Stubborn(), res("proxy"))
    assert outcomes["proxy"].ready
    assert outcomes["proxy"].change == ""
    assert outcomes["proxy"].reason == "RenewalFailed"
    assert outcomes["proxy"].expires == 7.0


async def test_a_bug_is_not_swallowed() -> None:
    def crash(verb: str, resource: ResourceId) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await walk(World(fault=crash), res("a"))


def entries(*resources: Resource) -> Inventory:
    return Inventory().merged(make_plan(resources))


async def test_prune_goes_backwards_one_level_at_a_time() -> None:
    plan = [res("ns"), res("policy", "ns"), res("hub", "policy")]
    world = World(slow_to_go={rid("hub")})
    await walk(world, *plan)
    result = await prune(TENANT, entries(*plan).stale(None), {world.name: world}, data=False)
    assert result.pending == [rid("hub")]
    assert world.deleted() == ["hub"]
    result = await prune(TENANT, entries(*plan).stale(None), {world.name: world}, data=False)
    assert [resource.name for resource in result.gone] == ["hub", "policy", "ns"]
    assert world.stands == {}


@pytest.mark.parametrize("data", [True, False])
async def test_data_goes_only_by_word(data: bool) -> None:
    plan = [res("volume", policy=Policy.RETAIN), res("db", "volume")]
    world = World()
    await walk(world, *plan)
    await prune(TENANT, entries(*plan).stale(None), {world.name: world}, data=data)
    assert (rid("volume") in world.stands) is not data
    assert rid("db") not in world.stands


async def test_a_prune_that_finds_somebody_elses_object_counts_as_gone() -> None:
    def taken(verb: str, resource: ResourceId) -> None:
        if verb == "before delete":
            raise Conflict("has another owner", reason="OwnedByOther")

    world = World(fault=taken)
    result = await prune(TENANT, entries(res("a")).stale(None), {world.name: world}, data=False)
    assert result.gone == [rid("a")]
    assert result.failures == []


async def test_a_failing_delete_stops_before_the_next_level() -> None:
    def refuse(verb: str, resource: ResourceId) -> None:
        if verb == "before delete" and resource.name == "client":
            raise Unavailable("provider does not answer")

    plan = [res("secret"), res("client", "secret")]
    world = World()
    await walk(world, *plan)
    world.fault = refuse
    result = await prune(TENANT, entries(*plan).stale(None), {world.name: world}, data=False)
    assert [resource.name for resource, _ in result.failures] == ["client"]
    assert rid("secret") in world.stands


PLAN = [
    replace(res("ns")),
    res("secret", "ns", policy=Policy.RETAIN),
    res("db", "secret"),
    res("job", "db"),
    res("config", "ns", url=Ref(rid("secret"), "password")),
    res("hub", "job", annotation=ContentDigest(rid("config"))),
]


@pytest.mark.parametrize("moment", ["before apply", "after apply"])
@pytest.mark.parametrize("victim", [resource.id.name for resource in PLAN])
async def test_killed_anywhere_and_started_again_it_ends_the_same(moment: str, victim: str) -> None:
    reference = World(outputs={rid("secret"): {"password": "p"}})
    await walk(reference, *PLAN)

    def kill(verb: str, resource: ResourceId) -> None:
        if verb == moment and resource.name == victim:
            world.fault = lambda verb, resource: None
            raise Killed

    world = World(outputs={rid("secret"): {"password": "p"}}, fault=kill)
    with pytest.raises(BaseExceptionGroup):
        await walk(world, *PLAN)
    await walk(world, *PLAN)
    assert world.stands == reference.stands
    created = sorted(world.applied())
    assert created == sorted(reference.applied()), "nothing is made twice"


async def test_independent_resources_are_applied_at_the_same_time() -> None:
    class Slow(World):
        async def apply(self, tenant, desired):  # type: ignore[no-untyped-def]
            self.busy = getattr(self, "busy", 0) + 1
            self.most = max(getattr(self, "most", 0), self.busy)
            await asyncio.sleep(0)
            self.busy -= 1
            return await super().apply(tenant, desired)

    world = Slow()
    await walk(world, *(res(f"r{i}") for i in range(20)))
    assert world.most == 16


async def test_a_job_that_tests_something_fails_with_its_own_word() -> None:
    failed = Readiness(State.FAILED, "JobFailed", "exit code 127")
    world = World(readiness={rid("check"): failed, rid("other"): failed})
    check = replace(res("check"), failure="ImageUnfit")
    outcomes = await walk(world, check, res("other"))
    assert (outcomes["check"].reason, outcomes["other"].reason) == ("ImageUnfit", "JobFailed")


@pytest.mark.parametrize(
    ("code", "result", "reason"),
    [
        (None, Result.READY, "NotTried"),
        (0, Result.READY, ""),
        (2, Result.FAILED, "WallsOpen"),
        (1, Result.FAILED, "ProbeFailed"),
    ],
)
async def test_a_cron_job_has_a_reason_for_each_exit_code(
    code: int | None, result: Result, reason: str
) -> None:
    well = Readiness(State.READY, exit_code=code)
    failed = Readiness(State.FAILED, "JobFailed", "the last run failed", exit_code=code)
    world = World(readiness={rid("trial"): failed if code else well})
    trial = replace(res("trial"), exits={2: "WallsOpen"}, failure="ProbeFailed")
    outcomes = await walk(world, trial)
    assert (outcomes["trial"].result, outcomes["trial"].reason) == (result, reason)
    assert outcomes["trial"].message or not reason


async def test_a_walk_that_is_stopped_leaves_nothing_begun() -> None:
    """Else Python tells of coroutines that were never awaited, between the lines of the log."""
    began: list[str] = []

    class Asked(World):
        def observe(self, tenant, desired):  # type: ignore[no-untyped-def]
            async def ask() -> Observation:
                began.append(desired.id.name)
                await asyncio.sleep(60)
                return Observation(Presence.SYNCED)

            return Promise(ask)

    task = asyncio.create_task(walk(Asked(), *(res(f"r{i}") for i in range(40))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gc.collect()
    assert len(began) < 40
