"""Nothing of a cluster outlives it, however it ends."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from dev.cluster import Cluster
from dev.cluster.layout import load

pytestmark = pytest.mark.e2e

NAME = "gonetest"
_OTHERS = re.compile(rf"\bvre-(?!{NAME})|^blackhole 198\.18\.")


def traces() -> set[str]:
    """What this machine shows of clusters, leaving out other clusters that come and go meanwhile."""
    shown = [str(path) for path in Path("/sys/fs/cgroup").glob("**/vre-*")]
    for command in ("ip -brief link", "ip route", "ip rule", "mount", "iptables-save"):
        done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
        shown += [line for line in done.stdout.splitlines() if not line.startswith(("#", ":"))]
    return {line for line in shown if not _OTHERS.search(line)} | _processes()


def _processes() -> set[str]:
    """Processes that belong to the cluster by name, or by living in a namespace of its own."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            groups = (path / "cgroup").read_text()
        except OSError:
            continue
        if f"clusters/{NAME}" in command or f"supervisor {NAME}" in command or f"vre-{NAME}" in groups:
            found.add(f"process {path.name} {command}")
    return found


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_nothing_is_left(killed: bool) -> None:
    cluster = Cluster(NAME)
    cluster.down()
    before = traces()
    cluster.up()
    state = cluster.logs.parent
    during = traces() - before
    assert any(trace.startswith(f"vre-{NAME}") for trace in during)
    assert sum(trace.startswith("process") for trace in during) > 10
    if killed:
        os.kill(int((state / "supervisor.pid").read_text()), signal.SIGKILL)
    cluster.down()
    assert traces() - before == set()
    assert before - traces() == set()
    assert not state.exists()
    assert load(NAME) is None
