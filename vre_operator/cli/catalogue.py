"""What `vre catalogue` prints: the environments that a tenant's people are offered now, and who uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vre_operator.api import names
from vre_operator.cli.cluster import cluster, environment
from vre_operator.cli.table import table

_SESSIONS = f"component=singleuser-server,{names.ENTRY_LABEL}"


async def read(context: str | None, namespace: str, name: str | None) -> list[str]:
    """Lines for people. Raises ClusterError. name: the only VREEnvironment of the namespace when None."""
    async with cluster(context) as kube:
        vre = await environment(kube, namespace, name)
        pods = await kube.list("v1/Pod", f"{namespace}-notebooks", selector=_SESSIONS)
    return list(lines(vre, [pod["metadata"]["labels"][names.ENTRY_LABEL] for pod in pods]))


def lines(vre: Mapping[str, Any], sessions: Sequence[str]) -> Iterator[str]:
    """sessions: for each the name of its entry."""
    offers = vre.get("status", {}).get("catalogue") or []
    own = {entry["name"]: entry for entry in (vre["spec"].get("catalogue") or {}).get("entries") or ()}
    counted = Counter(sessions)
    rows = [("NAME", "STAGE", "SESSIONS", "NODES", "SINCE", "IMAGE")]
    for offer in offers:
        name = offer["name"]
        more = (str(counted[name]), offer.get("nodes") or "-", offer["since"], offer["image"])
        rows.append((name, _stage(own, name), *more))
    gone = sorted(counted.keys() - {offer["name"] for offer in offers})
    rows += [(name, "Gone", str(counted[name]), "-", "-", "-") for name in gone]
    if len(rows) == 1:
        yield "Nothing is known yet of what is offered: site.resolveTags is false, or the hub is being made."
    else:
        yield from table(rows)
    notebooks = [
        one for one in vre.get("status", {}).get("conditions") or () if one["type"] == "NotebooksReady"
    ]
    for condition in notebooks:
        if condition["reason"] != "Ready":
            yield f"\nNotebooksReady is {condition['status']} ({condition['reason']}): {condition['message']}"


def _stage(own: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Of the site's entries only the site's settings tell."""
    if name not in own:
        return "(site)"
    return str((own[name].get("lifecycle") or {}).get("stage") or "Active")
