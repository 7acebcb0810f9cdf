"""The tables: on the terminal while a bench runs, and in docs/performance.md when it has ended."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from tests.scale.compare import MASKED
from tests.scale.creation import Made
from tests.scale.figures import Row, quantile, spread
from tests.scale.rounds import Round
from tests.site import ROOT

PAGE = ROOT / "docs" / "performance.md"
YARDSTICK, OURS = "yardstick", "vre-operator"
_MARK = {None: "", True: "yes", False: "**no**"}
COLUMNS = (
    "tenants",
    "contender",
    "seconds",
    "x Y, paired",
    "objects/s",
    "tenant p50 / p99 / max s",
    "CPU-s API server / etcd / controllers / own",
    "RSS MiB",
    "requests",
)


def creation_rows(rounds: Sequence[Round]) -> Iterator[tuple[str, ...]]:
    """A row of COLUMNS for each size and contender, over the rounds that count."""
    good = [it for it in rounds if not it.void]
    for size, name in sorted({(made.size, made.contender) for it in good for made in it.made}):
        mine = [made for it in good for made in it.made if (made.size, made.contender) == (size, name)]
        own = [second for made in mine for second in made.tenants]
        cpu = " / ".join(
            f"{statistics.median(made.cpu[part] for made in mine):.2f}"
            for part in ("kube-apiserver", "etcd", "kube-controller-manager", "contender")
        )
        yield (
            str(size),
            name,
            spread([made.seconds for made in mine]),
            spread(found) if (found := ratios(rounds, size, name)) else "",
            f"{mine[0].objects / statistics.median(made.seconds for made in mine):.0f}",
            " / ".join(f"{quantile(own, share):.2f}" for share in (0.5, 0.99, 1.0)),
            cpu,
            f"{statistics.median(made.rss for made in mine) / (1 << 20):.0f}",
            spread([float(sum(made.asked.values())) for made in mine], 0),
        )


def ratios(
    rounds: Sequence[Round], size: int, name: str, of: Callable[[Made], float] = lambda made: made.seconds
) -> list[float]:
    """`of`, by the yardstick's of the same round."""
    found = []
    for it in rounds:
        at = {made.contender: of(made) for made in it.made if made.size == size}
        if not it.void and name in at and at.get(YARDSTICK):
            found.append(at[name] / at[YARDSTICK])
    return found


def bars(rounds: Sequence[Round]) -> Iterator[Row]:
    """What issue and method ask of the making of tenants."""
    good = [made for it in rounds if not it.void for made in it.made if made.contender == OURS]
    for size in sorted({made.size for made in good}):
        if found := ratios(rounds, size, OURS):
            middle = statistics.median(found)
            yield Row(f"{size} at once, by Y", "<= 1.2 Y", spread(found), middle <= 1.2)
            row = f"{size} at once, CPU of the API server by Y"
            yield Row(row, "", spread(ratios(rounds, size, OURS, lambda made: made.cpu["kube-apiserver"])))
    for size in sorted({made.size for made in good if made.size > 1}):
        worst = max(max(made.tenants) / statistics.median(made.tenants) for made in good if made.size == size)
        yield Row(f"{size} at once, slowest tenant by the median", "<= 3", f"{worst:.2f}", worst <= 3)
    yield from _growth(good)
    if alone := [made for made in good if made.size == 1 and made.waiting is not None]:
        shares = [100 * (made.waiting or 0.0) / made.seconds for made in alone]
        yield Row("one tenant: time in which only readiness was awaited", "", f"{spread(shares, 1)} %")
    for size in sorted({made.size for made in good}):
        if ready := [made.ready for made in good if made.size == size and made.ready is not None]:
            yield Row(f"{size} at once, until all are Ready", "", f"{spread(ready)} s")
    everybody = [made for it in rounds if not it.void for made in it.made]
    rejected = sum(made.rejected for made in everybody)
    longest = max((1000 * made.queued / made.objects for made in everybody), default=0.0)
    text = f"{longest:.1f} ms an object at most, {rejected:.0f} rejected"
    yield Row("waits in the API server's priority queues, all contenders", "0 rejected", text, rejected == 0)


def _growth(good: Sequence[Made]) -> Iterator[Row]:
    each = {
        size: statistics.median(made.seconds / size for made in good if made.size == size)
        for size in sorted({made.size for made in good if made.size >= 10})
    }
    if len(each) > 1:
        told = ", ".join(f"{1000 * seconds:.0f} ms at {size}" for size, seconds in each.items())
        steps = list(each.values())
        yield Row(
            "growth: time for each tenant", "linear (<= 1.25 of N = 10)", told, max(steps) <= 1.25 * steps[0]
        )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    made = Table(*columns, title=title)
    for row in rows:
        made.add_row(*row)
    return made


def bar_cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [(row.measure, row.bar, row.seen, _MARK[row.reached]) for row in rows]


def write(page: Path, rounds: Sequence[Round], rows: Sequence[Row], load: Sequence[float]) -> None:
    """The page, from nothing but what was measured; causes, which a person found, stand behind a mark and stay.

    load: the machine's load average at times of the run."""
    void = [it for it in rounds if it.void]
    counted = f"{len(rounds) - len(void)} rounds counted, {len(void)} void"
    parts = [
        _INTRODUCTION,
        f"Last run: {datetime.now(UTC):%Y-%m-%d}, {counted}.\n",
        _machine(load),
        "## Tenants made\n",
        _markdown(COLUMNS, list(creation_rows(rounds))),
        "Median [least..most] of the rounds; the ratio is of the same round. Y is `yardstick`.\n",
        "## The figures and their bars\n",
        _markdown(("figure", "bar", "seen", "reached"), bar_cells(rows)),
        _LIMITS,
    ]
    causes = page.read_text().partition(BY_HAND)[2].strip() if page.exists() else ""
    kept = f"\n{BY_HAND}\n\n{causes}\n" if causes else ""
    page.write_text("\n".join(parts).rstrip() + "\n" + kept)


def _machine(load: Sequence[float]) -> str:
    facts: dict[str, Callable[[], str]] = {
        "Kubernetes": lambda: _required("dev/go/go.mod", "k8s.io/kubernetes"),
        "etcd": lambda: _required("dev/go/go.mod", "go.etcd.io/etcd/server/v3"),
        "controller-runtime": lambda: _required("dev/go/contender/go.mod", "sigs.k8s.io/controller-runtime"),
        "helm": lambda: _required("dev/go/go.mod", "helm.sh/helm/v3"),
        "Python": platform.python_version,
        "kernel": platform.release,
        "cores": lambda: str(os.cpu_count()),
        "load average during the run": lambda: spread(load, 1),
    }
    return "; ".join(f"{name} {value()}" for name, value in facts.items()) + ".\n"


def _required(file: str, module: str) -> str:
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (ROOT / file).read_text(), re.MULTILINE)
    return found.group(1) if found else "?"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


BY_HAND = "<!-- By hand from here on; `make bench` keeps it. -->"

_INTRODUCTION = """\
# Performance

Written by `make bench`; the numbers are of one machine at one time, the ratios travel further. Every figure of
ours stands beside the yardstick Y of the same round: the same rendered objects, sent by bare parallel
server-side apply. [How it is measured](../tests/scale/README.md).
"""

_LIMITS = f"""\
## What this does not say

- One machine, loopback, one etcd without a quorum and without fsync, no real pods: a ready-maker marks
  workloads as done at once, for every contender alike. How long only that is awaited is told for one tenant.
- The measuring is part of the load: the witness, the ready-maker and the audit log share the cores.
- A tenant of this bench has provider `manual`, and its provider is a small local server: making it registers
  nothing anywhere. The tenant that registers is a row of its own.
- The Go operator renders nothing (it reads files), waits for no readiness and writes no status. Its limit of
  20 requests a second is, as the library has it, one for each kind. kubectl and helm are measured with their
  start, as people run them, for one tenant only.
- All contenders are service accounts and share the API server's priority level `workload-low`; who measures or
  spoils is an administrator (`exempt`). Ours has the chart's rights, the others every right.
- The Lease is not counted among requests, nor is a watch's end after some minutes.
- Memory: the operator runs with a kubeconfig here, which costs 27 MB more than a pod's service account.
- A deletion ends when the API server's own namespace controller has emptied two namespaces: so does Y's.
- Before a round counts, all contenders' objects are compared (of many tenants a sample of 25). Masked:
  {", ".join(f"`{it}`" for it in MASKED)}.
"""
