"""Container images without a container engine: plain, deterministic OCI archives.

The archives are what ``ctr image import``, ``kind load image-archive`` and ``docker load`` read.
Nothing in them depends on the time or the machine, so the same tree always has the same digest and
containerd stores a shared layer once.
"""

import hashlib
import io
import json
import platform
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

EPOCH = 946684800
"""Time stamp of every packed file (2000-01-01): zip, and with it Java, knows nothing before 1980."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Name this machine's architecture as images do."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def write_layer(path: Path, tree: Path) -> Path:
    """Pack the directory ``tree`` as the layer ``path``: owners and modes kept, times fixed.

    Character devices 0:0 are overlayfs' marks of deleted files and become whiteouts.
    """
    partial = path.with_name(f"{path.name}.partial")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
        for member in _members(tree):
            info = archive.gettarinfo(member, arcname=str(member.relative_to(tree)))
            info.mtime = EPOCH
            info.uname = info.gname = ""
            if info.ischr() and (info.devmajor, info.devminor) == (0, 0):
                whiteout = member.with_name(f".wh.{member.name}")
                archive.addfile(_entry(str(whiteout.relative_to(tree)), 0))
            elif info.isreg():
                with member.open("rb") as content:
                    archive.addfile(info, content)
            else:
                archive.addfile(info)
    return partial.rename(path)


def write_image(
    path: Path,
    ref: str,
    layers: Sequence[Path],
    *,
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    user: str = "",
    workdir: str = "",
) -> Path:
    """Write the image ``ref`` made of uncompressed layer tars, the lowest first.

    Layers stay uncompressed: on one machine compression costs time at both ends and saves nothing.
    """
    digests = [_file_digest(layer) for layer in layers]
    platform_fields = {"architecture": architecture(), "os": "linux"}
    process = {
        "Entrypoint": list(entrypoint),
        "Cmd": list(cmd),
        "Env": [f"{name}={value}" for name, value in (env or {}).items()],
        "User": user,
        "WorkingDir": workdir,
    }
    config = _json(
        platform_fields
        | {
            "config": {name: value for name, value in process.items() if value},
            "rootfs": {"type": "layers", "diff_ids": digests},
            "history": [{"created_by": "vre-operator dev image"} for _ in layers],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": digest,
                    "size": layer.stat().st_size,
                }
                for digest, layer in zip(digests, layers, strict=True)
            ],
        }
    )
    # containerd takes the first name, docker the second.
    names = {"io.containerd.image.name": ref, "org.opencontainers.image.ref.name": ref}
    entry = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    index = _json(
        {"schemaVersion": 2, "manifests": [entry | {"annotations": names, "platform": platform_fields}]}
    )

    partial = path.with_name(f"{path.name}.partial")
    with tarfile.open(partial, "w") as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", index)
        for blob in (manifest, config):
            _add(archive, _blob_path(_digest(blob)), blob)
        for digest, layer in dict(zip(digests, layers, strict=True)).items():
            with layer.open("rb") as content:
                archive.addfile(_entry(_blob_path(digest), layer.stat().st_size), content)
    return partial.rename(path)


def read_image(path: Path, wanted: Callable[[str], bool]) -> tuple[str, dict[str, bytes]]:
    """The digest of an archive's image, and what its files of the wanted names hold."""
    files: dict[str, bytes] = {}
    with tarfile.open(path) as archive:

        def blob(descriptor: Mapping[str, Any]) -> IO[bytes]:
            return _content(archive, _blob_path(descriptor["digest"]))

        (entry,) = json.load(_content(archive, "index.json"))["manifests"]
        for layer in json.load(blob(entry))["layers"]:
            with tarfile.open(fileobj=blob(layer)) as opened:
                for member in opened:
                    if member.isreg() and wanted(member.name):
                        files[member.name] = _content(opened, member).read()
    return entry["digest"], files


def _content(archive: tarfile.TarFile, member: str | tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise ValueError(f"{member} is no file")
    return content


def _members(directory: Path) -> Iterator[Path]:
    """Walk ``directory`` in name order, parents before children, links not followed."""
    for member in sorted(directory.iterdir()):
        mode = member.lstat().st_mode
        if stat.S_ISSOCK(mode):
            continue
        yield member
        if stat.S_ISDIR(mode):
            yield from _members(member)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = EPOCH
    return info


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_entry(name, len(content)), io.BytesIO(content))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _file_digest(path: Path) -> str:
    with path.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}
