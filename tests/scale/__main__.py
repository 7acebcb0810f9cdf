"""`python -m tests.scale`: the engine beside others; see README.md."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from dev.cluster import binaries
from dev.progress import note, step
from tests.scale import abuse, contenders, issuer, registering, report
from tests.scale.creation import Made
from tests.scale.figures import Row
from tests.scale.life import told as asked
from tests.scale.rounds import MEASURES, Course, Round

_name = click.option("--name", default="scale", show_default=True, help="The cluster's name.")
_ALWAYS = (contenders.Yardstick, contenders.Ours, contenders.Go, contenders.Kubectl, contenders.Helm)
_ONCE = (contenders.OneConnection, contenders.GoOneWorker, contenders.GoThrottled)
"""Controls: one round of these tells enough."""
_AT_LARGE = (contenders.Yardstick, contenders.Go)
_console = Console(width=160)


@click.group()
def main() -> None:
    """Measure."""


@main.command()
@click.option("--sizes", default="1,10", show_default=True, help="How many tenants at once.")
@click.option("--rounds", default=1, show_default=True)
@click.option("--only", default="yardstick,vre-operator", show_default=True, help="Contenders; `all` for all.")
@click.option("--seed", default=0, help="Of the order; 0: another one each time.")
@_name
def create(sizes: str, rounds: int, only: str, seed: int, name: str) -> None:
    """Tenants made at once: seconds, CPU and requests of each contender, and ours by the yardstick's."""
    chosen = [it for it in contenders.ALL if only == "all" or it.name in only.split(",")]
    with course(name) as it:
        done = []
        for number in range(1, rounds + 1):
            done.append(it.round(number, chosen, [int(size) for size in sizes.split(",")], seed))
            for made in done[-1].made:
                note(told(made))
    _print_creation(done)


@main.command()
@click.option("--size", default=10, show_default=True, help="How many tenants.")
@click.option("--parts", default=",".join(MEASURES), show_default=True, help="Which measures.")
@click.option("--samples", default=150, show_default=True, help="Of each measure of drift.")
@_name
def life(size: int, parts: str, samples: int, name: str) -> None:
    """What tenants cost our operator once they stand."""
    with course(name) as it, it.life(size) as (lives, made, _):
        note(told(made))
        for row in it.measures(lives, parts.split(","), samples):
            _tell(row)


@main.command()
@click.option("--rounds", default=1, show_default=True)
@click.option("--samples", default=20, show_default=True, help="Changes in each turn.")
@click.option("--deeds", default=",".join(abuse.DEEDS), show_default=True, help="What the abuser does.")
@click.option("--bounded", is_flag=True, help="By examples/site/fairness.yaml.")
@_name
def abused(*, rounds: int, samples: int, deeds: str, bounded: bool, name: str) -> None:
    """What one tenant's abuse costs another's changes, and a bare client's."""
    with course(name) as it:
        rows = list(abuse.measure(it, rounds, samples, deeds.split(","), bounded=bounded))
    columns = ("figure", "bar", "seen", "reached")
    _console.print(report.table("Beside one that misbehaves", columns, report.bar_cells(rows)))


@main.command()
@click.option("--quick", is_flag=True, help="About five minutes: small numbers, two rounds.")
@click.option("--largest", default=0, help="How many tenants in the long part; default 1000, quick 10.")
@click.option("--rounds", default=0, help="Default 7, quick 2.")
@click.option("--parts", default=",".join(MEASURES), help="Which measures of tenants that stand; default all.")
@click.option("--page", type=click.Path(path_type=Path), default=report.PAGE, help="Where the page is written.")
@_name
def bench(*, quick: bool, largest: int, rounds: int, parts: str, page: Path, name: str) -> None:
    """Everything: prints the tables and writes docs/performance.md."""
    largest = largest or (10 if quick else 1000)
    sizes = [1, 10] if quick else [1, 10, 100]
    binaries.contender()
    load: list[float] = []
    with course(name) as it:
        done: list[Round] = []
        for number in range(1, (rounds or (2 if quick else 7)) + 1):
            chosen = _ALWAYS if quick or number > 1 else (*_ALWAYS, *_ONCE)
            done.append(it.round(number, chosen, sizes))
            load.append(os.getloadavg()[0])
            _print_creation(done)
        rows: list[Row] = []
        alike = Round(len(done) + 1)
        if largest not in sizes:
            alike = it.round(alike.number, _AT_LARGE, [largest])
            load.append(os.getloadavg()[0])
        for size in sorted({10, largest}):
            with step(f"{size} tenants of ours"), it.life(size) as (lives, made, standing):
                if size == largest and largest not in sizes:
                    alike.add(made.contender, [made], standing)
                    done.append(alike)
                    _print_creation(done)
                for row in it.measures(lives, parts.split(","), 60 if quick else 300):
                    _tell(row)
                    rows.append(row)
            load.append(os.getloadavg()[0])
        with step("one tenant that registers"):
            rows += registering.measure(name, it.folder)
        rows += abuse.measure(it, rounds=1 if quick else 5, samples=5 if quick else 40)
        load.append(os.getloadavg()[0])
    rows = [*report.bars(done), *rows]
    _print_creation(done)
    columns = ("figure", "bar", "seen", "reached")
    _console.print(report.table("The figures and their bars", columns, report.bar_cells(rows)))
    report.write(page, done, rows, load)
    note(f"written: {page.name}")


@contextmanager
def course(name: str) -> Iterator[Course]:
    """With a provider, in a folder that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="vre-scale-") as scratch:
        folder = Path(scratch)
        with issuer.running(folder / "issuer") as provider:
            yield Course(name, folder, provider)


def told(made: Made) -> str:
    """One line while a bench runs."""
    cpu = " ".join(f"{name.removeprefix('kube-')} {seconds:.2f}" for name, seconds in made.cpu.items())
    return (
        f"{made.contender:14} N={made.size:<4} {made.seconds:7.3f} s"
        + (f", ready {made.ready:.3f} s" if made.ready is not None else "")
        + (f", waiting {made.waiting:.3f} s" if made.waiting is not None else "")
        + f"; CPU-s {cpu}; RSS {made.rss >> 20} MiB"
        + f"; {sum(made.asked.values())} requests for {made.objects} objects: {asked(made.asked)}"
    )


def _tell(row: Row) -> None:
    mark = {None: " ", True: "+", False: "-"}[row.reached]
    note(f"{mark} {row.measure}: {row.seen}" + (f"   [bar: {row.bar}]" if row.bar else ""))


def _print_creation(done: Sequence[Round]) -> None:
    void = sum(1 for it in done if it.void)
    title = f"Tenants made: {len(done) - void} rounds count, {void} void"
    _console.print(report.table(title, report.COLUMNS, list(report.creation_rows(done))))


if __name__ == "__main__":
    main(prog_name="python -m tests.scale")
