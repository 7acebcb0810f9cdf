"""Run a command in an image without a container runtime, as a restricted pod would run it."""

import json
import shlex
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NAMESPACES = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--net")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A loopback of its own, so that servers find their ports free and reach nothing else.
_START = """
ip link set lo up
work=$1 archive=$2; shift 2
mount -t tmpfs tmpfs "$work"
mkdir "$work/root"
for layer in $LAYERS; do
    tar -xOf "$archive" "$layer" | tar -xpf - -C "$work/root" --numeric-owner
done
cp -a "$FILES/." "$work/root/"
cd "$work/root"
mount --bind . .
cd "$work/root"
[ -z "$READ_ONLY" ] || mount -o remount,ro,bind "$work/root"
mount -t proc proc proc
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom; do touch dev/$device; mount --bind /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd
mkdir -m 1777 dev/shm
for volume in $VOLUMES; do
    mount -t tmpfs -o mode=1777 tmpfs "./$volume"
done
exec chroot . "$@"
"""


def config(archive: Path) -> dict[str, Any]:
    """Read an archive's image configuration, its layer paths added as ``layers``."""
    with tarfile.open(archive) as opened:

        def read(name: str) -> dict[str, Any]:
            member = opened.extractfile(name)
            assert member is not None
            content: dict[str, Any] = json.load(member)
            return content

        def blob(descriptor: Mapping[str, str]) -> str:
            return "blobs/" + descriptor["digest"].replace(":", "/")

        manifest = read(blob(read("index.json")["manifests"][0]))
        layers = [blob(layer) for layer in manifest["layers"]]
        image: dict[str, Any] = read(blob(manifest["config"]))["config"]
        return image | {"layers": layers}


def run(
    archive: Path,
    script: str,
    tmp_path: Path,
    *,
    files: Mapping[str, str] | None = None,
    volumes: tuple[str, ...] = ("tmp",),
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    read_only: bool = True,
    timeout: float = 240,
) -> str:
    """Run a shell script in the image with its user and environment and return what it prints.

    The root file system is read-only but for the ``volumes`` (without leading slash, links resolved), all
    privileges are dropped unless the image runs as root, and ``"$@"`` is its entrypoint and command.
    """
    image = config(archive)
    (tmp_path / "work").mkdir()
    for name, content in (files or {}).items():
        target = tmp_path / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    (tmp_path / "files").mkdir(exist_ok=True)
    uid, _, gid = (user or image.get("User") or "0:0").partition(":")
    privileges = ["--no-new-privs"] if uid == "0" else ["--no-new-privs", "--bounding-set=-all"]
    variables = [*image.get("Env", []), *(f"{name}={value}" for name, value in (env or {}).items())]
    inside = [
        *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *privileges),
        *("env", "-i", f"PATH={_PATH}", *variables),
        *("sh", "-euc", f"cd {shlex.quote(image.get('WorkingDir', '/'))}\n{script}", "sh"),
        *image.get("Entrypoint", []),
        *image.get("Cmd", []),
    ]
    done = subprocess.run(
        [*_NAMESPACES, "sh", "-euc", _START, "sh", str(tmp_path / "work"), str(archive), *inside],
        env={
            "PATH": _PATH,
            "LAYERS": " ".join(image["layers"]),
            "FILES": str(tmp_path / "files"),
            "VOLUMES": " ".join(volumes),
            "READ_ONLY": "yes" if read_only else "",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout
