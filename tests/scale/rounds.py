"""Rounds: the same tenants made by each contender in a world of its own, in shuffled order, and compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.progress import note, step
from tests.scale import compare, contenders, creation, issuer, life, rig, tenants
from tests.scale.contenders import Contender
from tests.scale.creation import Made
from tests.scale.figures import Row
from tests.scale.life import Life
from tests.scale.tenants import Json, Key, Rendered

MEASURES = ("rest", "field", "idle", "busy", "hot", "sick", "restart", "delete")
_RESYNC = (
    15.0,
    60.0,
)  # seconds; the longer one for hundreds of tenants, who are not looked over four times a minute
_MANY = 100


@dataclass
class Round:
    """One turn of each contender. void: why it does not count, where it does not."""

    number: int
    made: list[Made] = field(default_factory=list)
    void: str = ""
    _standing: list[tuple[str, Mapping[Key, Json]]] = field(default_factory=list)

    def add(self, contender: str, made: Sequence[Made], standing: Mapping[Key, Json]) -> None:
        """Take a turn's figures, and compare what stands with what the others made."""
        self.made += made
        for other, before in self._standing:
            both = _places(before) & _places(standing)
            one, two = ({key: it for key, it in of.items() if _place(key) in both} for of in (before, standing))
            if found := list(compare.differences(one, two)):
                self.void = f"{other} and {contender} differ in {len(found)} places: {found[0][:300]}"
        self._standing.append((contender, standing))


@dataclass
class Course:
    """Where the rounds are run. name: of the cluster. The files live in `folder`."""

    name: str
    folder: Path
    provider: issuer.Issuer
    _groups: dict[int, Sequence[Rendered]] = field(default_factory=dict)

    def group(self, size: int) -> Sequence[Rendered]:
        """That many tenants, 0 for the one to get warm with; the same ones in every round."""
        if size not in self._groups:
            self._groups[size] = self.wishes(f"t{size}-", self.provider.url, max(size, 1))
        return self._groups[size]

    def wishes(self, prefix: str, url: str, count: int) -> list[Rendered]:
        """Other tenants, at the provider `url`."""
        names = [f"{prefix}{number:04}" for number in range(count)]
        identity = tenants.manual(url)
        site = rig.site_settings(self.provider)
        return creation.render(self.rendered, (tenants.wish(it, identity) for it in names), site)

    @property
    def rendered(self) -> Path:
        return self.folder / "rendered"

    def round(
        self, number: int, chosen: Sequence[type[Contender]], sizes: Sequence[int], seed: int = 0
    ) -> Round:
        """One turn of each, in an order of chance (seed 0: another each time). Who fails makes it void."""
        done = Round(number)
        order = random.Random(seed + number if seed else None)  # noqa: S311 no secret
        for each in order.sample(chosen, len(chosen)):
            with step(f"round {number}: {each.name}") as say:
                try:
                    done.add(each.name, *self.turn(each, sizes, say))
                except (RuntimeError, TimeoutError) as failure:
                    done.void = f"{each.name}: {failure}"
        if done.void:
            note(f"round {number} is void: {done.void}")
        return done

    def turn(
        self, each: type[Contender], sizes: Sequence[int], say: Callable[[str], None]
    ) -> tuple[list[Made], Mapping[Key, Json]]:
        """One contender in a new cluster."""
        with rig.world(self.name, self.folder / "turn", self.provider) as world:
            return creation.turn(world, each(world, self.rendered), sizes, self.group, say)

    @contextmanager
    def life(self, size: int) -> Iterator[tuple[Life, Made, Mapping[Key, Json]]]:
        """Our operator with `size` tenants, how they were made, and what stands."""
        resync = _RESYNC[size > _MANY]
        with rig.world(self.name, self.folder / "turn", self.provider, resync=resync) as world:
            ours = contenders.Ours(world, self.rendered)
            try:
                ours.start()
                creation.make(world, ours, self.group(0))
                bare = ours.rss()
                group = self.group(size)
                made = creation.make(world, ours, group)
                yield Life(world, ours, group, resync, bare), made, creation.standing(world, group)
            finally:
                ours.end()

    def measures(self, it: Life, names: Sequence[str], samples: int) -> Iterator[Row]:
        """Those of MEASURES, in an order in which one does not spoil the next. samples: of each of drift."""
        every: dict[str, Callable[[], Iterator[Row]]] = {
            "rest": lambda: life.at_rest(it),
            "field": lambda: life.one_field(it),
            "idle": lambda: life.idle_drift(it, max(1, samples // 45)),
            "busy": lambda: life.busy_drift(it, samples),
            "hot": lambda: life.hot_neighbour(it, samples // 5),
            "sick": lambda: life.sick_provider(it, self.wishes, samples // 5),
            "restart": lambda: life.restart(it),
            "delete": lambda: life.deletion(it, contenders.Yardstick(it.world, self.rendered)),
        }
        for name, measure in every.items():
            if name in names:
                with step(f"{it.size} tenants: {name}"):
                    yield from measure()


def _place(key: Key) -> str:
    return key[2] if key[0] == "v1/Namespace" else key[1]


def _places(standing: Mapping[Key, Json]) -> set[str]:
    return {_place(key) for key in standing}
