"""The first process of a cluster's own PID namespace: the kernel ends all others with it.

So there is nothing to tidy in an orderly way: killing this one process, by whatever signal, removes
every process, mount, bridge and packet filter rule of the cluster.
"""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from dev.cluster import layout as layouts
from dev.cluster import network
from dev.cluster.components import Component, components
from dev.cluster.health import api_ready
from dev.cluster.layout import Layout
from dev.cluster.paths import REPOSITORY, cache_dir
from dev.system import SEARCH_PATH

_RESTART_SECONDS = 1.0
_KUBELET_WANTS = {
    "vm.overcommit_memory": 1,
    "vm.panic_on_oom": 0,
    "kernel.panic": 10,
    "kernel.panic_on_oops": 1,
    "kernel.keys.root_maxkeys": 1000000,
    "kernel.keys.root_maxbytes": 25000000,
}


def main() -> None:
    """Run the cluster named by the first argument until killed."""
    layout = layouts.load(sys.argv[1])
    if layout is None:
        raise SystemExit(f"no cluster {sys.argv[1]}: start it with `python -m dev up`")
    # Held until death: others learn from it, without races, whether the cluster runs.
    lock = os.open(layout.state / "running.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    os.umask(0o022)
    _private_mounts(layout)
    prefix = network.create_node_network(layout) if layout.node else []
    Supervisor(layout, prefix).run()


class Supervisor:
    """Starts the components, restarts what ends, and reaps the orphans of the namespace."""

    def __init__(self, layout: Layout, node_prefix: list[str]) -> None:
        self._layout = layout
        self._prefix = node_prefix
        self._running: dict[int, tuple[Component, subprocess.Popen[bytes]]] = {}

    def run(self) -> None:
        """Never return."""
        parts = components(self._layout)
        for part in parts:
            if not part.after_api:
                self._start(part)
        while not api_ready(self._layout):
            self._reap(os.WNOHANG)
            time.sleep(0.1)
        for part in parts:
            if part.after_api:
                self._start(part)
        while True:
            self._reap(0)

    def _reap(self, options: int) -> None:
        pid, status = os.waitpid(-1, options)
        if pid not in self._running:
            return
        part, process = self._running.pop(pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        print(f"{part.name} ended with {process.returncode}; starting it again", flush=True)
        time.sleep(_RESTART_SECONDS)
        self._start(part)

    def _start(self, part: Component) -> None:
        command = part.command if part.on_host else [*self._prefix, *part.command]
        environment = {
            "PATH": SEARCH_PATH,
            "HOME": str(self._layout.state),
            "VRE_DEV_CACHE": str(cache_dir()),
            # A fifth of an API server's time would be the collection of its garbage.
            "GOGC": "300",
            "GOMEMLIMIT": "2GiB",
        }
        with (self._layout.logs / f"{part.name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running[process.pid] = (part, process)


def _private_mounts(layout: Layout) -> None:
    """Give the cluster its own of every directory that programs insist on writing to."""
    # Volumes that pods mount must appear in the pods that run already, hence shared, here only.
    _mount("--make-rshared", "/")
    if not layout.node:
        _private_tmpfs("/tmp/hostpath_pv")
        return
    _private_tmpfs("/run")
    _private_tmpfs("/var/lib/cni")
    _mount("--bind", str(layout.logs), "/var/log")
    _private_directory("/var/lib/kubelet", layout.state / "kubelet")
    _pretend_kernel_settings(layout)


def _private_tmpfs(directory: str) -> None:
    Path(directory).mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)


def _private_directory(directory: str, place: Path) -> None:
    Path(directory).mkdir(parents=True, exist_ok=True)
    place.mkdir()
    _mount("--bind", str(place), directory)


def _pretend_kernel_settings(layout: Layout) -> None:
    """Show the kubelet the values it wants, or it would set them for the whole machine."""
    for name, value in _KUBELET_WANTS.items():
        shown = layout.config / name
        shown.write_text(f"{value}\n")
        _mount("--bind", "-o", "ro", str(shown), "/proc/sys/" + name.replace(".", "/"))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
