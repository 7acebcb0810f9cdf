"""A cluster's control groups, in either version of the kernel's interface."""

import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


def create(name: str) -> None:
    """Make the group that the kubelet puts all pods under."""
    if (available := _ROOT / "cgroup.controllers").exists():
        usable = set(available.read_text().split())
        wanted = " ".join(f"+{controller}" for controller in _V2_CONTROLLERS if controller in usable)
        (_ROOT / "cgroup.subtree_control").write_text(wanted)
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def remove(name: str) -> None:
    """Remove the group and all below it; its processes must have been killed."""
    for hierarchy in _hierarchies():
        _remove_tree(hierarchy / name)


def _hierarchies() -> list[Path]:
    """Give the one hierarchy of version 2, or each of version 1 (some are links to others)."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return sorted({path.resolve() for path in _ROOT.iterdir() if (path / "cgroup.procs").exists()})


def _remove_tree(group: Path) -> None:
    # Two `down` at once remove the same groups: what the other took is gone, too.
    try:
        children = [child for child in group.iterdir() if child.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    for child in children:
        _remove_tree(child)
    # A killed process leaves its group only when the kernel has finished with it.
    deadline = time.monotonic() + 10
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
