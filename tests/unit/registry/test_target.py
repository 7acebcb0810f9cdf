"""A catalogue's tags and offers over their life, with a registry that says what it is told to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from vre_operator.engine.errors import Conflict, NotFound, TargetError, Unavailable
from vre_operator.engine.resources import REGISTRY, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, State
from vre_operator.targets.registry import RegistryTarget
from vre_operator.targets.registry.credentials import Login
from vre_operator.targets.registry.offers import PATIENCE
from vre_operator.targets.registry.reference import Reference
from vre_operator.targets.store import MemoryStateStore, StateKey

TENANT = Tenant("survey", "vre", "uid-1", "cluster")
IMAGES = ResourceId(REGISTRY, "Images", "", "catalogue")
OFFERS = ResourceId(REGISTRY, "Offers", "", "catalogue")
BASE, LAB = "registry.example.org/base:1", "registry.example.org/lab:1"
ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
EVERY = 600
GOOD = {"result": "Ready", "reason": "", "message": "Job check: "}
BAD = {"result": "Failed", "reason": "ImageUnfit", "message": "Job check: exits with 1"}
GOING = {"result": "Progressing", "reason": "Progressing", "message": "Job check: runs"}


@dataclass
class Registry:
    """tags: image to digest, or why not. asked: the repositories of all requests."""

    tags: dict[str, str | TargetError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def digest(self, reference: Reference, login: Login | None) -> str:
        self.asked.append(reference.repository)
        found = self.tags[f"registry.example.org/{reference.repository}:{reference.tag}"]
        if isinstance(found, TargetError):
            raise found
        return found


@dataclass
class Life:
    """Any number of operator lives."""

    registry: Registry = field(default_factory=lambda: Registry({BASE: ONE, LAB: ONE}))
    store: MemoryStateStore = field(default_factory=MemoryStateStore)
    now: float = 1_000_000.0
    asleep: bool = False
    target: RegistryTarget = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.target = RegistryTarget(self.store, clock=lambda: self.now, http=lambda *_, **__: self.registry)

    async def images(self, *images: str, tenant: Tenant = TENANT) -> Observation:
        body: dict[str, Any] = {"images": list(images), "credentials": [], "every": EVERY}
        body |= {"ca_bundle": "", "allowed_cidrs": []}
        return await self.target.observe(tenant, Desired(Resource(IMAGES, "notebooks", body), body))

    async def offer(self, tenant: Tenant = TENANT, /, **entries: tuple[str, str, bool]) -> dict[str, str]:
        """What is offered after a pass; each entry as (image, reference, whether its check ended well)."""
        checked = {name: (*two, GOOD if good else BAD) for name, (*two, good) in entries.items()}
        seen = await self.judged(tenant, **checked)
        pinned: dict[str, str] = json.loads(seen.outputs["pinned"])
        assert {one["name"]: one["image"] for one in seen.report} == pinned
        return pinned

    async def judged(
        self, tenant: Tenant = TENANT, nodes: dict[str, str] | None = None, /, **entries: tuple[Any, ...]
    ) -> Observation:
        """After a pass; each entry as (image, reference, how its check does)."""
        names = ("image", "reference", "check")
        found = {name: dict(zip(names, entry, strict=True)) for name, entry in entries.items()}
        more = {"nodes": nodes}
        wanted = {name: entry | more | {"origin": f"spec.{name}"} for name, entry in found.items()}
        body = {"entries": wanted, "asleep": self.asleep}
        desired = Desired(Resource(OFFERS, "notebooks", body), body)
        seen = await self.target.observe(tenant, desired)
        if seen.presence is not Presence.SYNCED:
            seen = await self.target.apply(tenant, desired)
        assert (await self.target.observe(tenant, desired)).presence is Presence.SYNCED
        return seen

    def vouches(self, tenant: Tenant = TENANT) -> bool:
        return self.target.vouch(tenant, [IMAGES, OFFERS], walked=False) is not None


def pinned(image: str, digest: str) -> str:
    return f"{image.rpartition(':')[0]}@{digest}"


# --- tags ---------------------------------------------------------------------------------------------------


async def test_a_tag_is_asked_for_once_in_each_period_whoever_offers_it() -> None:
    life = Life()
    neighbour = Tenant("ocean", "vre", "uid-2", "cluster")
    for _ in range(3):
        seen = await life.images(BASE, LAB)
        await life.images(BASE, tenant=neighbour)
    assert seen.outputs == {BASE: pinned(BASE, ONE), LAB: pinned(LAB, ONE)}
    assert seen.readiness.ready
    assert not seen.readiness.reason
    assert sorted(life.registry.asked) == ["base", "lab"]
    life.now += 1.3 * EVERY
    await life.images(BASE, LAB)
    await life.images(BASE, tenant=neighbour)
    assert sorted(life.registry.asked) == ["base", "base", "lab", "lab"]


async def test_tags_that_are_due_one_after_the_other_are_read_in_one_pass() -> None:
    """Each has its own jitter, and each pass costs something."""
    images = [f"registry.example.org/lab{number}:1" for number in range(20)]
    life = Life(Registry(dict.fromkeys(images, ONE)))
    for _ in range(3):
        seen = await life.images(*images)
        assert seen.recheck_after
        life.now += seen.recheck_after
        assert not life.vouches()
    await life.images(*images)
    assert sorted(life.registry.asked) == sorted(4 * [f"lab{number}" for number in range(20)])


async def test_news_of_one_tenants_reading_reach_the_others() -> None:
    life = Life()
    neighbour = Tenant("ocean", "vre", "uid-2", "cluster")
    await life.images(BASE)
    await life.images(BASE, tenant=neighbour)
    assert life.vouches()
    life.now += 1.3 * EVERY
    assert not life.vouches(), "it is time to read"
    life.registry.tags[BASE] = TWO
    await life.images(BASE, tenant=neighbour)
    assert life.vouches(neighbour)
    assert not life.vouches(), "what it saw is not what is known now"
    assert (await life.images(BASE)).outputs == {BASE: pinned(BASE, TWO)}
    assert life.vouches()


async def test_what_cannot_be_read_is_told_and_stands_as_it_was() -> None:
    life = Life()
    life.registry.tags[BASE] = NotFound(f"{BASE} is not there", reason="ImageNotFound")
    seen = await life.images(BASE, LAB)
    assert seen.outputs == {BASE: BASE, LAB: pinned(LAB, ONE)}, "the nodes may know it"
    assert seen.readiness.ready
    assert (seen.readiness.reason, seen.readiness.message) == ("ImageNotFound", f"{BASE} is not there")
    life.registry.tags[BASE] = ONE
    life.now += 60
    assert (await life.images(BASE, LAB)).outputs[BASE] == pinned(BASE, ONE)
    life.registry.tags[BASE] = Unavailable("away")
    life.now += 1.3 * EVERY
    seen = await life.images(BASE, LAB)
    assert seen.outputs[BASE] == pinned(BASE, ONE)
    assert (seen.readiness.ready, seen.readiness.reason) == (True, "Unavailable")


async def test_a_registry_that_is_away_at_a_restart_unpins_nothing() -> None:
    life = Life()
    await life.offer(base=(BASE, pinned(BASE, ONE), False))
    life.restart()
    life.registry.tags[BASE] = Unavailable("away")
    assert (await life.images(BASE)).outputs == {BASE: pinned(BASE, ONE)}


async def test_an_operator_that_has_just_started_asks_nobody_at_once() -> None:
    life = Life()
    assert life.vouches()
    life.now += 301
    assert not life.vouches()
    assert life.registry.asked == []


# --- offers -------------------------------------------------------------------------------------------------


async def test_the_first_image_is_offered_at_once_and_a_new_one_when_it_was_tried() -> None:
    life = Life()
    old, new = pinned(BASE, ONE), pinned(BASE, TWO)
    assert await life.offer(base=(BASE, old, False)) == {"base": old}
    for restarted in (False, True):
        if restarted:
            life.restart()
        assert await life.offer(base=(BASE, new, False)) == {"base": old}
    assert await life.offer(base=(BASE, new, True)) == {"base": new}
    assert await life.offer(base=(BASE, new, False)) == {"base": new}


async def test_one_that_is_not_good_holds_up_no_other() -> None:
    life = Life()
    old = {"base": (BASE, pinned(BASE, ONE), True), "lab": (LAB, pinned(LAB, ONE), True)}
    await life.offer(**old)
    new = {"base": (BASE, pinned(BASE, TWO), False), "lab": (LAB, pinned(LAB, TWO), True)}
    assert await life.offer(**new) == {"base": pinned(BASE, ONE), "lab": pinned(LAB, TWO)}


async def test_a_new_image_troubles_nobody_until_it_turns_out_bad() -> None:
    life = Life()
    old, new = pinned(BASE, ONE), pinned(BASE, TWO)

    async def told(reference: str, check: dict[str, str]) -> tuple[State, str]:
        seen = (await life.judged(base=(BASE, reference, check))).readiness
        assert not seen.reason or seen.message.startswith("spec.base: Job check: ")
        return seen.state, seen.reason

    assert await told(old, GOING) == (State.PROGRESSING, "Progressing")
    assert await told(old, BAD) == (State.FAILED, "ImageUnfit"), "nothing better is offered"
    assert await told(old, GOOD) == (State.READY, "")
    assert await told(old, GOING) == (State.READY, ""), "it was found to be good"
    assert await told(new, GOING) == (State.READY, "")
    life.restart()
    assert await told(new, BAD) == (State.READY, "ImageUnfit"), "works, and somebody should look"
    assert await told(new, GOOD) == (State.READY, "")
    assert json.loads((await life.judged(base=(BASE, new, GOOD))).outputs["pinned"]) == {"base": new}


async def test_a_check_that_is_put_to_rest_has_tried_nothing() -> None:
    """A suspended Job counts as ready, as nothing waits for it then."""
    life = Life(asleep=True)
    old, new = pinned(BASE, ONE), pinned(BASE, TWO)
    assert (await life.judged(base=(BASE, old, GOOD))).readiness.ready
    life.asleep = False
    assert (await life.judged(base=(BASE, old, GOING))).readiness.state is State.PROGRESSING
    await life.judged(base=(BASE, old, GOOD))
    life.asleep = True
    assert await life.offer(base=(BASE, new, True)) == {"base": old}
    life.asleep = False
    assert await life.offer(base=(BASE, new, False)) == {"base": old}
    assert await life.offer(base=(BASE, new, True)) == {"base": new}


def on_nodes(progress: str, reason: str = "Progressing") -> dict[str, str]:
    ready = progress[0] == progress[-1]
    result = "Ready" if ready else "Failed" if reason != "Progressing" else "Progressing"
    told = {"reason": "" if ready else reason, "message": "DaemonSet image-puller: pods"}
    return {"result": result, "progress": progress} | told


async def test_a_new_image_waits_for_the_nodes_but_not_for_ever() -> None:
    life = Life()
    old, new = pinned(BASE, ONE), pinned(BASE, TWO)

    async def offered(reference: str, nodes: dict[str, str] | None) -> tuple[str, str, str]:
        seen = await life.judged(TENANT, nodes, base=(BASE, reference, GOOD))
        assert seen.readiness.ready
        (told,) = seen.report
        return told["image"], told.get("nodes", ""), seen.readiness.reason

    assert await offered(old, on_nodes("0/3")) == (old, "0/3", ""), "there is nothing else"
    assert await offered(old, on_nodes("3/3")) == (old, "3/3", "")
    assert await offered(new, on_nodes("2/3")) == (old, "2/3", "")
    life.now += PATIENCE - 1
    assert await offered(new, on_nodes("2/3", "ImagePullFailed")) == (old, "2/3", "ImagePullFailed")
    life.now += 1
    assert await offered(new, on_nodes("2/3", "ImagePullFailed")) == (new, "2/3", "ImagePullFailed")
    assert await offered(old, on_nodes("2/3")) == (new, "2/3", "")
    assert await offered(old, on_nodes("3/3")) == (old, "3/3", "")
    assert await offered(new, None) == (new, "", ""), "nobody asks for it any more"


async def test_the_worst_is_told_first() -> None:
    life = Life()
    seen = await life.judged(base=(BASE, BASE, GOING), good=(LAB, LAB, GOOD), lab=(LAB, LAB, BAD))
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "ImageUnfit")
    seen = await life.judged(base=(BASE, BASE, GOING), good=(LAB, LAB, GOOD))
    assert seen.readiness.state is State.PROGRESSING


async def test_what_left_the_catalogue_is_forgotten() -> None:
    life = Life()
    await life.offer(base=(BASE, pinned(BASE, ONE), True), lab=(LAB, pinned(LAB, ONE), True))
    assert await life.offer(lab=(LAB, pinned(LAB, ONE), True)) == {"lab": pinned(LAB, ONE)}
    assert await life.offer(base=(BASE, pinned(BASE, TWO), False)) == {"base": pinned(BASE, TWO)}


async def test_settled_offers_are_written_once() -> None:
    life = Life()
    for _ in range(3):
        await life.offer(base=(BASE, pinned(BASE, ONE), True))
    (held,) = life.store.texts.values()
    assert held[1] == 1


async def test_a_tenant_made_anew_is_offered_nothing_of_the_old_one() -> None:
    life = Life()
    await life.offer(base=(BASE, pinned(BASE, ONE), True))
    life.restart()
    other = Tenant("survey", "vre", "uid-9", "cluster")
    assert await life.offer(other, base=(BASE, pinned(BASE, TWO), False)) == {"base": pinned(BASE, TWO)}


async def test_a_write_of_somebody_else_is_seen_and_not_lost() -> None:
    life = Life()
    await life.offer(base=(BASE, pinned(BASE, ONE), True))
    (key,) = life.store.texts
    state, version = await life.store.load(key) or ({}, "")
    state["offers"]["base"]["reference"] = "registry.example.org/other:1"
    await life.store.save(key, state, version)
    with pytest.raises(Conflict):
        await life.offer(base=(BASE, pinned(BASE, TWO), True))
    assert await life.offer(base=(BASE, pinned(BASE, TWO), False)) == {"base": "registry.example.org/other:1"}


async def test_nothing_is_left_of_a_tenant_that_is_gone() -> None:
    life = Life()
    await life.images(BASE)
    await life.offer(base=(BASE, pinned(BASE, ONE), True))
    assert [key.object_name.partition("-")[0] for key in life.store.texts] == ["catalogue"]
    for resource in (IMAGES, OFFERS):
        assert await life.target.delete(TENANT, resource, Policy.DELETE, data=False)
    assert life.store.texts == {}
    assert StateKey.of(TENANT, "catalogue", "catalogue").object_name
