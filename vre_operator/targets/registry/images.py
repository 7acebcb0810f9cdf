"""Kind Images: what the tags of a catalogue stand for now, read again and again, and kept while nobody tells.

Body: images: [image by tag]; credentials: [text of a .dockerconfigjson], every: seconds between two readings,
ca_bundle, allowed_cidrs. Outputs: for each image, as it is written, the reference with its digest.

A tag that cannot be read is no failure: nodes may reach a registry that the operator does not, and they say
themselves what they cannot pull. Then the last digest stands, or the tag, and the reason is told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vre_operator.engine.errors import TargetError
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Tenant
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State
from vre_operator.targets.fresh import JITTER, Fresh
from vre_operator.targets.registry.credentials import Login, login
from vre_operator.targets.registry.memory import Memory
from vre_operator.targets.registry.reference import Reference

_AT_ONCE = 8
_TOLD = 3
_SPREAD = 300.0
"""Seconds over which an operator that has just started reads everybody's."""


class Registry(Protocol):
    """The one way to a registry."""

    async def digest(self, reference: Reference, login: Login | None) -> str: ...


class Connect(Protocol):
    """The way to the registry of this name, always the same one."""

    def __call__(self, host: str, ca_bundle: str, allowed_cidrs: tuple[str, ...]) -> Registry: ...


@dataclass(slots=True, eq=False)
class _Tag:
    """found: the digest that was read last, "" while there is none."""

    fresh: Fresh
    found: str = ""


class Images:
    """The tags by what was asked for; tenants with the same image share a reading."""

    def __init__(self, memory: Memory, connect: Connect, clock: Callable[[], float]) -> None:
        self._memory = memory
        self._connect = connect
        self._clock = clock
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._tags: dict[tuple[str, str], _Tag] = {}
        self._seen: dict[tuple[str, str], dict[_Tag, str]] = {}
        self._first: dict[tuple[str, str], float] = {}

    def due(self, tenant: tuple[str, str]) -> float:
        """Seconds until a tag has to be read; 0 when it has to be now, or another tenant's reading was news."""
        if (seen := self._seen.get(tenant)) is None:
            now = self._clock()
            first = self._first.setdefault(tenant, now + random.uniform(0.0, _SPREAD))  # noqa: S311
            return max(first - now, 0.0)
        if any(tag.found != found for tag, found in seen.items()):
            return 0.0
        return _rest(seen)

    def forget(self, tenant: tuple[str, str]) -> None:
        """Nobody asks for this tenant's images any more."""
        self._seen.pop(tenant, None)
        self._first.pop(tenant, None)
        wanted = {tag for seen in self._seen.values() for tag in seen}
        self._tags = {key: tag for key, tag in self._tags.items() if tag in wanted}

    async def observe(self, tenant: Tenant, body: Mapping[str, Any]) -> Observation:
        """Always ready. Raises what the memory raises."""
        images: list[str] = body["images"]
        rest = {name: value for name, value in body.items() if name != "images"}
        asked = digest(rest)
        tags = [
            self._tags.setdefault((asked, image), _Tag(Fresh(self._clock, body["every"]))) for image in images
        ]
        problems = await asyncio.gather(
            *(self._read(tag, image, rest) for tag, image in zip(tags, images, strict=True))
        )
        self._seen[tenant.key] = {tag: tag.found for tag in tags}
        outputs = {
            image: Reference.parse(image).pinned(tag.found)
            for image, tag in zip(images, tags, strict=True)
            if tag.found
        }
        if unread := [image for image in images if image not in outputs]:
            outputs |= await self._memory.references(tenant, unread)
        return Observation(Presence.SYNCED, _told(problems), outputs, recheck_after=_rest(tags))

    async def _read(self, tag: _Tag, image: str, body: Mapping[str, Any]) -> TargetError | Readiness | None:
        """Why the digest is not known, or not known to be the newest."""

        async def ask() -> dict[str, str]:
            reference = Reference.parse(image)
            registry = self._connect(reference.host, body["ca_bundle"], tuple(body["allowed_cidrs"]))
            async with self._limit:
                tag.found = await registry.digest(reference, login(body["credentials"], reference))
            return {"digest": tag.found}

        try:
            seen = await tag.fresh.observe(ask)
        except TargetError as error:
            return error
        return None if seen.readiness.ready else seen.readiness


def _rest(tags: Iterable[_Tag]) -> float:
    """Seconds until all that were read together are due: the first of them, and its jitter."""
    return JITTER * min((tag.fresh.rest for tag in tags), default=_SPREAD)


def _told(problems: Iterable[TargetError | Readiness | None]) -> Readiness:
    """Ready, with what a person should know."""
    found = [problem for problem in problems if problem]
    if not found:
        return READY
    texts = [one.text if isinstance(one, TargetError) else one.message for one in found]
    more = f" And {len(texts) - _TOLD} more." if texts[_TOLD:] else ""
    return Readiness(State.READY, found[0].reason, " ".join(dict.fromkeys(texts[:_TOLD])) + more)
