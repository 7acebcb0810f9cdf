"""`python -m tests.scale`: the engine beside others; see README.md."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import click

from dev.progress import note, step
from tests.scale import compare, contenders, creation, figures, issuer, rig, tenants
from tests.scale import life as lives
from tests.scale.creation import Made
from tests.scale.tenants import Rendered


@click.group()
def main() -> None:
    """Measure."""


@main.command()
@click.option("--sizes", default="1,10", show_default=True, help="How many tenants at once.")
@click.option("--rounds", default=1, show_default=True)
@click.option("--only", default="yardstick,vre-operator", show_default=True, help="Contenders; `all` for all.")
@click.option("--name", default="scale", show_default=True, help="The cluster's name.")
@click.option("--seed", default=0, help="Of the order; 0: another one each time.")
def create(sizes: str, rounds: int, only: str, name: str, seed: int) -> None:
    """Tenants made at once: seconds, CPU and requests of each contender, and ours by the yardstick's."""
    wanted = [int(size) for size in sizes.split(",")]
    chosen = [it for it in contenders.ALL if only == "all" or it.name in only.split(",")]
    order = random.Random(seed or None)  # noqa: S311 no secret
    with tempfile.TemporaryDirectory(prefix="vre-scale-") as scratch:
        folder = Path(scratch)
        with issuer.running(folder / "issuer") as provider:
            site = rig.site_settings(provider)

            @cache
            def rendered(size: int) -> Sequence[Rendered]:
                names = [f"t{size}-{number:04}" for number in range(max(size, 1))]
                identity = tenants.manual(provider.url)
                return creation.render(folder / "rendered", (tenants.wish(it, identity) for it in names), site)

            for size in (0, *wanted):
                rendered(size)
            for number in range(1, rounds + 1):
                results: list[Made] = []
                reference = None
                for each in order.sample(chosen, len(chosen)):
                    with (
                        step(f"round {number} of {rounds}: {each.name}") as say,
                        rig.world(name, folder / "turn", provider) as world,
                    ):
                        made, standing = creation.turn(
                            world, each(world, folder / "rendered"), wanted, rendered, say
                        )
                    if reference is not None:
                        shared = {key for key in standing if key in reference}
                        unequal = list(
                            compare.differences(
                                {key: reference[key] for key in shared}, {key: standing[key] for key in shared}
                            )
                        )
                        if unequal:
                            note(f"VOID, {len(unequal)} fields differ: {unequal[0][:300]}")
                    reference = reference or standing
                    results += made
                for size in wanted:
                    base = [it.seconds for it in results if it.size == size and it.contender == "yardstick"]
                    for it in results:
                        if it.size == size:
                            note(told(it, statistics.fmean(base) if base else 0))


@main.command()
@click.option("--size", default=10, show_default=True, help="How many tenants.")
@click.option("--name", default="scale", show_default=True, help="The cluster's name.")
@click.option("--parts", default="", help="Only these measures, by their names.")
def life(size: int, name: str, parts: str) -> None:
    """What tenants cost our operator once they stand."""
    with tempfile.TemporaryDirectory(prefix="vre-scale-") as scratch:
        folder = Path(scratch)
        with issuer.running(folder / "issuer") as provider:
            for row in lived(name, folder, provider, size, parts.split(",") if parts else None):
                mark = {None: " ", True: "+", False: "-"}[row.reached]
                note(f"{mark} {row.measure}: {row.seen}" + (f"   [bar: {row.bar}]" if row.bar else ""))


def lived(
    name: str, folder: Path, provider: issuer.Issuer, size: int, parts: Sequence[str] | None
) -> Iterator[figures.Row]:
    """All measures of life.py, in the order in which one does not spoil the next."""
    resync = 15.0
    site = rig.site_settings(provider, resync=resync)

    def wishes(prefix: str, url: str, count: int) -> list[Rendered]:
        identity = tenants.manual(url)
        names = [f"{prefix}{number:04}" for number in range(count)]
        return creation.render(folder / "rendered", (tenants.wish(it, identity) for it in names), site)

    with rig.world(name, folder / "turn", provider, resync=resync) as world:
        ours = contenders.Ours(world, folder / "rendered")
        yardstick = contenders.Yardstick(world, folder / "rendered")
        ours.start()
        yardstick.start()
        try:
            creation.make(world, ours, wishes("warm", provider.url, 1))
            group = wishes("t", provider.url, size)
            note(told(creation.make(world, ours, group), 0))
            it = lives.Life(world, ours, group, resync)
            measures: dict[str, Callable[[], Iterator[figures.Row]]] = {
                "rest": lambda: lives.at_rest(it),
                "field": lambda: lives.one_field(it),
                "idle": lambda: lives.idle_drift(it, 3),
                "busy": lambda: lives.busy_drift(it, 300),
                "hot": lambda: lives.hot_neighbour(it, 30),
                "sick": lambda: lives.sick_provider(it, wishes, 30),
                "restart": lambda: lives.restart(it),
                "delete": lambda: lives.deletion(it, yardstick),
            }
            for part, measure in measures.items():
                if parts is None or part in parts:
                    yield from measure()
        finally:
            ours.end()
            yardstick.end()


def told(made: Made, base: float) -> str:
    cpu = " ".join(f"{name.removeprefix('kube-')} {seconds:.2f}" for name, seconds in made.cpu.items())
    return (
        f"{made.contender:14} N={made.size:<4} {made.seconds:7.3f} s"
        + (f" = {made.seconds / base:4.2f} Y" if base else "")
        + (f", ready {made.ready:.3f} s" if made.ready is not None else "")
        + (f", waiting {made.waiting:.3f} s" if made.waiting is not None else "")
        + f"; CPU-s {cpu}; RSS {made.rss >> 20} MiB"
        + f"; {sum(made.asked.values())} requests for {made.objects} objects"
        + f"; queued {made.queued:.3f} s"
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.scale")
