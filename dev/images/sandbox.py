"""Run one step of a recipe on top of its parent layers and pack what it changed.

``run_step`` starts this module again in mount and process namespaces of its own, with all work on a tmpfs
there: whenever the build is killed, its processes, mounts and files are gone with it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dev import oci
from dev.images import apt
from dev.images.recipe import Step, files

_REPOSITORY = Path(__file__).parents[2]
_NAMESPACES = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc")
_COMMON = {
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "DEBIAN_FRONTEND": "noninteractive",
    "TMPDIR": "/tmp",
    # useradd and the like write down the day.
    "SOURCE_DATE_EPOCH": str(oci.EPOCH),
}
_INSIDE = {
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "APT_CONFIG": "/run/build/.apt/apt.conf",
    "UV_CACHE_DIR": "/run/build/.cache",
    "UV_LINK_MODE": "copy",
    "UV_COMPILE_BYTECODE": "1",
    # Byte code must stay valid under the fixed time stamps of a layer.
    "PYC_INVALIDATION_MODE": "UNCHECKED_HASH",
    "SSL_CERT_FILE": "/run/build/.ca.pem",
    "NODE_EXTRA_CA_CERTS": "/run/build/.ca.pem",
}


class BuildError(Exception):
    """A step failed; the message ends with the last lines it printed."""


def run_step(step: Step, parents: Sequence[Path], layer: Path, log: Path) -> None:
    """Run ``step`` on top of the ``parents`` layers (the lowest first) and write ``layer``."""
    order = vars(step) | {
        "inputs": [str(path) for path in step.inputs],
        "parents": [str(path) for path in parents],
        "layer": str(layer),
    }
    command = [*_NAMESPACES, sys.executable, "-m", __name__, json.dumps(order)]
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=_REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(f"{step.name} failed, see {log}:\n{tail}")


def _main() -> None:
    # Modes are part of a layer's digest; whoever builds must not be.
    os.umask(0o022)
    order = json.loads(sys.argv[1])
    layer, parents = Path(order.pop("layer")), [Path(parent) for parent in order.pop("parents")]
    step = Step(**order | {"inputs": tuple(Path(path) for path in order["inputs"])})

    work = layer.parent / "work"
    work.mkdir(exist_ok=True)
    _mount("tmpfs", work, "-t", "tmpfs", "-o", "mode=0755")
    root, upper, scratch = work / "root", work / "upper", work / "scratch"
    for directory in (root, upper, scratch):
        directory.mkdir()
    if parents:
        # overlayfs wants the topmost layer first.
        lower = ":".join(str(_unpack(parent, work / parent.stem)) for parent in reversed(parents))
        options = f"lowerdir={lower},upperdir={upper},workdir={scratch}"
        _mount("overlay", root, "-t", "overlay", "-o", options)
        with _furnished(root, step):
            _run(step, root)
    else:
        _mount(str(upper), root, "--bind")
        _run(step, root)
    oci.write_layer(layer, upper)


def _run(step: Step, root: Path) -> None:
    shell = ["sh", "-euxc", step.script]
    if step.host:
        environment = os.environ | _COMMON | apt.bootstrap_environment() | {"ROOT": str(root)}
    else:
        shell = ["chroot", str(root), *shell]
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        index = {name: os.environ[name] for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL") if name in os.environ}
        environment = _COMMON | _INSIDE | proxies | index
    if subprocess.run(shell, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
        # Its own output is the message; a traceback would only hide it.
        sys.exit(1)


@contextmanager
def _furnished(root: Path, step: Step) -> Iterator[None]:
    """Mount what a step may use but not keep."""
    build = root / "run/build"
    build.mkdir()
    with ExitStack() as mounts:
        mounts.callback(build.rmdir)

        def mount(source: str, target: Path, *options: str) -> None:
            _mount(source, target, *options)
            # Lazily, so that a stray process of the step cannot keep it.
            mounts.callback(subprocess.run, ["umount", "--lazy", str(target)], check=True)

        for kind, name in (("proc", "proc"), ("tmpfs", "tmp"), ("tmpfs", "run/build"), ("tmpfs", "dev")):
            mount(kind, root / name, "-t", kind)
        for device in ("null", "zero", "full", "random", "urandom"):
            (root / "dev" / device).touch()
            mount(f"/dev/{device}", root / "dev" / device, "--bind")
        (root / "dev/fd").symlink_to("/proc/self/fd")
        (root / "dev/shm").mkdir()
        (root / "dev/shm").chmod(0o1777)
        mount("/etc/resolv.conf", root / "etc/resolv.conf", "--bind")

        for path in step.inputs:
            _stage(path, build)
        apt.configure(build / ".apt")
        shutil.copy(_uv(), build / "uv")
        cache = subprocess.run(
            [_uv(), "cache", "dir"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for directory in (Path(cache), build / ".cache"):
            directory.mkdir(parents=True, exist_ok=True)
        mount(cache, build / ".cache", "--bind")
        # A host behind an inspecting proxy trusts a CA that the image does not: trust what the host trusts.
        shutil.copy(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"), build / ".ca.pem")
        yield


def _stage(path: Path, build: Path) -> None:
    """Copy an input with modes that do not depend on the checkout's umask."""
    for source in files(path):
        target = build / source.relative_to(path.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _uv() -> str:
    """Find the uv of this Python environment: its version is in the lock file."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"


def _unpack(layer: Path, tree: Path) -> Path:
    tree.mkdir()
    subprocess.run(["tar", "-xf", str(layer), "-C", str(tree), "--numeric-owner"], check=True)
    if next(tree.rglob(".wh.*"), None):
        raise BuildError(f"{layer} deletes files of a lower layer: steps may only add and replace")
    return tree


def _mount(source: str, target: Path, *options: str) -> None:
    subprocess.run(["mount", *options, source, str(target)], check=True)


if __name__ == "__main__":
    _main()
