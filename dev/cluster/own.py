"""The project's own cluster, made of processes and namespaces: no container engine is needed."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import system
from dev.cluster import addons, certs, cgroups, config, images, layout, network
from dev.cluster.binaries import binaries
from dev.cluster.health import api_ready
from dev.cluster.layout import Layout, module_command
from dev.cluster.paths import REPOSITORY, clusters_dir
from dev.ports import free_port
from dev.progress import Say, step

_READY_SECONDS = 120
_NO_NODE_TOOLS = ("unshare", "mount")


def prepare() -> None:
    """Install the packages and build the programs and images of a cluster with a node."""
    system.require_root("the development cluster")
    system.ensure(*system.NODE)
    images.own_images(binaries())


def up(
    name: str, *, node: bool, https_port: int | None = None, http_port: int | None = None, bare: bool = False
) -> Layout:
    """Start the cluster unless it runs already."""
    with _one_at_a_time(name):
        if running(name) and (found := layout.load(name)):
            if (found.node, found.bare) != (node, bare):
                kind = "a node" if found.node else "no node at all" if found.bare else "no node"
                raise system.MissingError(f"cluster {name} runs with {kind}: run `dev down --name {name}`")
            if api_ready(found):
                return found
        system.require_root("the development cluster")
        system.ensure(*(system.NODE if node else _NO_NODE_TOOLS))
        programs = binaries()
        own = images.own_images(programs) if node else None
        _remove(name)
        started = _lay_out(name, node, programs, https_port=https_port, http_port=http_port, bare=bare)
        _equip(started, own.pause if own else "")
        with _told_from_logs(started):
            _start(started)
            with step("waiting for the API server") as say:
                _wait(lambda: api_ready(started), started, say)
            addons.apply(started, own)
            if own:
                images.load(started, own.archives)
            with step("waiting for the node" + (", DNS and storage" if node else "")):
                addons.wait_ready(started, _READY_SECONDS)
        return started


def down(name: str, *, forget_images: bool = False) -> None:
    """Stop the cluster and remove all that it left, also after it was killed."""
    with _one_at_a_time(name):
        _remove(name)
        if forget_images:
            shutil.rmtree(Layout(name, node=True, bin="").containerd_root, ignore_errors=True)


def running(name: str) -> bool:
    """Tell whether the cluster's supervisor lives."""
    try:
        lock = os.open(layout.state_dir(name) / "running.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def load(found: Layout, archives: Iterable[Path]) -> list[str]:
    """Load images; without a node there is nothing to load them into, and nothing needs them."""
    return images.load(found, archives) if found.node else []


@contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    clusters_dir().mkdir(parents=True, exist_ok=True)
    with (clusters_dir() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lay_out(
    name: str, node: bool, programs: Path, *, https_port: int | None, http_port: int | None, bare: bool
) -> Layout:
    # Other clusters choose their part of the range under the same lock.
    with _one_at_a_time("all"):
        others = [
            other for path in clusters_dir().glob("*/layout.json") if (other := layout.load(path.parent.name))
        ]
        made = Layout(
            name=name,
            node=node,
            bin=str(programs),
            index=network.free_index({other.index for other in others}) if node else 0,
            api_port=6443 if node else free_port(),
            https_port=https_port,
            http_port=http_port,
            bare=bare,
        )
        for option, port in (("--https-port", https_port), ("--http-port", http_port)):
            if node and port:
                _require_free(port, option)
        made.logs.mkdir(parents=True)
        made.state.chmod(0o711)
        made.save()
    return made


def _equip(made: Layout, pause: str) -> None:
    """Make all that the processes need to start."""
    certs.write_all(made)
    config.write_all(made, pause)
    (made.state / "volumes").mkdir(mode=0o711)
    if made.node:
        subprocess.run(["modprobe", "-a", "overlay", "br_netfilter"], capture_output=True, check=False)
        cgroups.create(made.cgroup)
        network.add_blackhole()


def _start(made: Layout) -> None:
    """Start the supervisor in namespaces that end with it, detached from this command."""
    namespaces = ["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    with (made.logs / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", *namespaces, "--", *module_command("dev.cluster.supervisor", made.name)],
            cwd=REPOSITORY,
            env=os.environ | {"PATH": system.SEARCH_PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (made.state / "supervisor.pid").write_text(str(process.pid))
    # It outlives this command on purpose; not asking for its end keeps Python from warning.
    process.returncode = 0


def _wait(condition: Callable[[], bool], made: Layout, say: Say) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    began = False
    while not condition():
        alive = running(made.name)
        if (began and not alive) or time.monotonic() > deadline:
            raise RuntimeError("the cluster ended" if not alive else "it did not get ready in time")
        began = began or alive
        say("still starting")
        time.sleep(0.1)


@contextmanager
def _told_from_logs(made: Layout) -> Iterator[None]:
    """Show where to look when a start fails; the cluster is left for that."""
    try:
        yield
    except RuntimeError as error:
        log = made.logs / "supervisor.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise RuntimeError(f"{error}\nLogs: {made.logs}; the supervisor's last lines:\n{tail}") from error


def _remove(name: str) -> None:
    """Kill what runs and remove what is left: it works on any half of a cluster."""
    state = layout.state_dir(name)
    if running(name):
        os.kill(int((state / "supervisor.pid").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while running(name):
            if time.monotonic() > deadline:
                raise RuntimeError(f"cluster {name} does not end")
            time.sleep(0.02)
    left = Layout(name, node=True, bin="")
    if system.find("ip") and os.geteuid() == 0:
        network.remove(left.interface)
        cgroups.remove(left.cgroup)
    shutil.rmtree(state, ignore_errors=True)


def _require_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise system.MissingError(
                f"127.0.0.1:{port} is in use: choose another port with {option}, or --no-host-ports"
            ) from error
