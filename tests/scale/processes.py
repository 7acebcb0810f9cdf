"""What processes cost, from /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import Cluster

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
PARTS = ("kube-apiserver", "etcd", "kube-controller-manager")


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu: user and system seconds since the process began. rss: bytes now."""

    cpu: float
    rss: int


def cost(pid: int) -> Cost:
    """Raises FileNotFoundError or ProcessLookupError when it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Cost((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE)


def of_cluster(cluster: Cluster) -> dict[str, int]:
    """The pids of the control plane. They are told from other clusters' by their files' paths."""
    state = str(cluster.kubeconfig.parent)
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = command[0].rpartition("/")[2]
        if name in PARTS and any(f"{state}/" in argument for argument in command):
            found[name] = int(folder.name)
    if missing := set(PARTS) - found.keys():
        raise RuntimeError(f"cluster {cluster.name} has no process {', '.join(sorted(missing))}")
    return found


def costs(pids: Mapping[str, int]) -> dict[str, Cost]:
    return {name: cost(pid) for name, pid in pids.items()}
