"""Images: the cluster's own, and loading any archive into the node."""

import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev import oci
from dev.cluster.layout import Layout
from dev.cluster.paths import cache_dir
from dev.progress import step
from dev.system import find

_BUSYBOX_APPLETS = ("sh", "mkdir", "rm", "cat", "echo", "id", "ls", "nslookup", "wget", "httpd", "sleep")
_INDEX = "index.json"


@dataclass(frozen=True)
class OwnImages:
    """References of the images that the cluster itself needs, and their archives."""

    pause: str
    coredns: str
    provisioner: str
    helper: str
    archives: tuple[Path, ...]


def own_images(binaries: Path) -> OwnImages:
    """Pack the built programs as images, once for each set of programs."""
    tag = binaries.name
    folder = cache_dir() / "cluster-images" / tag
    programs = {"pause": "pause", "coredns": "coredns", "provisioner": "local-path-provisioner"}
    refs = {name: f"localhost/vre-dev/{name}:{tag}" for name in (*programs, "helper")}
    archives = tuple(folder / f"{name}.tar" for name in refs)
    if not all(archive.exists() for archive in archives):
        folder.mkdir(parents=True, exist_ok=True)
        with step("packing the cluster's own images"):
            for name, program in programs.items():
                _pack(folder, name, refs[name], {program: binaries / program}, f"/bin/{program}")
            busybox = Path(find("busybox") or "busybox")
            _pack(folder, "helper", refs["helper"], {"busybox": busybox}, "/bin/busybox")
    return OwnImages(**refs, archives=archives)


def _pack(folder: Path, name: str, ref: str, programs: dict[str, Path], entrypoint: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        tree = Path(scratch) / "tree"
        (tree / "bin").mkdir(parents=True)
        (tree / "tmp").mkdir()
        (tree / "tmp").chmod(0o1777)
        for program, source in programs.items():
            shutil.copy(source, tree / "bin" / program)
            (tree / "bin" / program).chmod(0o755)
        if "busybox" in programs:
            for applet in _BUSYBOX_APPLETS:
                (tree / "bin" / applet).symlink_to("busybox")
        layer = oci.write_layer(Path(scratch) / "layer.tar", tree)
        oci.write_image(folder / f"{name}.tar", ref, [layer], entrypoint=[entrypoint], env={"PATH": "/bin"})


def load(layout: Layout, archives: Iterable[Path]) -> list[str]:
    """Import image archives into the node; give the names of those it did not have."""
    present = _present(layout)
    imported = []
    for archive in archives:
        names = _names(archive)
        if names and all(present.get(name) == digest for name, digest in names.items()):
            continue
        title = ", ".join(names) or str(archive)
        with step(f"loading {title}"):
            done = _ctr(layout, "images", "import", str(archive))
            if done.returncode != 0:
                raise RuntimeError(f"loading {archive} failed: {done.stderr.strip()}")
        imported.append(title)
    return imported


def _present(layout: Layout) -> dict[str, str]:
    listing = _ctr(layout, "images", "ls")
    if listing.returncode != 0:
        raise RuntimeError(f"containerd does not answer: {listing.stderr.strip()}")
    rows = (line.split() for line in listing.stdout.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def _names(archive: Path) -> dict[str, str]:
    """Give the digest of each image in an OCI archive; nothing for docker's own format."""
    with tarfile.open(archive) as tar:
        try:
            index = tar.extractfile(_INDEX)
        except KeyError:
            return {}
        if index is None:
            return {}
        manifests = json.load(index).get("manifests", [])
    named = ((entry.get("annotations", {}).get("io.containerd.image.name"), entry) for entry in manifests)
    return {name: entry["digest"] for name, entry in named if name}


def _ctr(layout: Layout, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
