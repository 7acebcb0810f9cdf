"""What `vre homes` prints: people's home directories, and which of them nobody has used for long.

The hub writes on each home the day of its person's last start; whose it is KubeSpawner does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from vre_operator.api import names
from vre_operator.cli.cluster import cluster, environment
from vre_operator.cli.table import table

HOME_LABEL, HOME = "component", "singleuser-storage"
PERSON_ANNOTATION = "hub.jupyter.org/username"


async def read(context: str | None, namespace: str, name: str | None, unused: int | None) -> list[str]:
    """Lines for people. Raises ClusterError. unused: only homes that nobody has used for so many days."""
    where = f"{namespace}-notebooks"
    async with cluster(context) as kube:
        vre = await environment(kube, namespace, name)
        claims = await kube.list("v1/PersistentVolumeClaim", where, selector=f"{HOME_LABEL}={HOME}")
        pods = await kube.list("v1/Pod", where, selector="component=singleuser-server")
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    return list(lines(vre, claims, used, unused, datetime.now(UTC).date()))


def lines(
    vre: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    used: Collection[str],
    unused: int | None,
    today: date,
) -> Iterator[str]:
    """used: the claims that running sessions hold."""
    homes = (vre["spec"].get("storage") or {}).get("homes") or {}
    if homes.get("volume") or homes.get("claim"):
        claim = (homes.get("claim") or {}).get("name", "homes")
        yield f"All homes are directories of one volume, the claim {claim}; their use is not known here."
        return
    rows, shown = [("PERSON", "SIZE", "LAST START", "SESSION", "CLAIM")], []
    for claim in sorted(claims, key=_last_start):
        metadata = claim["metadata"]
        running = metadata["name"] in used
        if unused is not None and (running or not _left(claim, unused, today)):
            continue
        shown.append(metadata["name"])
        person = (metadata.get("annotations") or {}).get(PERSON_ANNOTATION, "?")
        has = (claim.get("status") or {}).get("capacity") or claim["spec"]["resources"]["requests"]
        session = "running" if running else "-"
        rows.append((person, has["storage"], _last_start(claim) or "-", session, metadata["name"]))
    if not shown:
        yield "There are no homes." if unused is None else f"No home was left alone for {unused} days."
        return
    yield from table(rows)
    if unused is not None:
        where = f"{vre['metadata']['namespace']}-notebooks"
        yield "\nTo delete them, with all files in them:"
        yield f"  kubectl -n {where} delete pvc {' '.join(shown)}"


def _last_start(claim: Mapping[str, Any]) -> str:
    """A day, as in 2027-03-31; empty when no start was seen."""
    return str((claim["metadata"].get("annotations") or {}).get(names.LAST_START_ANNOTATION, ""))


def _left(claim: Mapping[str, Any], days: int, today: date) -> bool:
    """Whether it was used, and then not for so many days."""
    start = _last_start(claim)
    return bool(start) and (today - date.fromisoformat(start)).days >= days
