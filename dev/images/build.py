"""Build the development images that are missing in the cache."""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import oci
from dev.images.recipe import Image
from dev.images.recipes import IMAGES
from dev.images.sandbox import run_step
from dev.progress import step as progress
from dev.system import ensure, require_root

_UNUSED = 7 * 24 * 3600
"""Seconds after which a layer that no build asked for is dropped."""
_KEPT = 3
"""Archives of an image that are kept: somebody may still be loading the one before the newest."""


def refs() -> dict[str, str]:
    """Give the reference of every image as the tree is now, built or not."""
    return {name: image.ref for name, image in IMAGES.items()}


def build(names: Iterable[str] | None = None) -> dict[str, Path]:
    """Return the archives of the named images (or of all), building what is missing."""
    with _cache() as cache:
        archives = {name: _archive(IMAGES[name], cache) for name in (IMAGES if names is None else names)}
        _prune(cache)
    return archives


def _archive(image: Image, cache: Path) -> Path:
    archive = cache / f"{image.name}-{image.ref.rpartition(':')[2]}.tar"
    if archive.exists():
        os.utime(archive)
        return archive
    require_root("building images")
    ensure("debootstrap", "mvn", "mount", "unshare")
    with progress(f"building image {image.name}") as say:
        layers: list[Path] = []
        for key, step in image.layers:
            layer = cache / f"{key}.layer"
            if not layer.exists():
                say(step.name)
                run_step(step, layers, layer, cache / f"{step.name}.log")
            os.utime(layer)
            layers.append(layer)
        process = image.process
        return oci.write_image(
            archive,
            image.ref,
            layers,
            entrypoint=process.entrypoint,
            cmd=process.cmd,
            env=process.env,
            user=process.user,
            workdir=process.workdir,
        )


@contextmanager
def _cache() -> Iterator[Path]:
    """Open the cache for one builder at a time: two would only build the same twice."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vre-operator"
    cache = Path(os.environ.get("VRE_DEV_CACHE") or base) / "images"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def _prune(cache: Path) -> None:
    for partial in cache.glob("*.partial"):
        partial.unlink()
    for layer in cache.glob("*.layer"):
        if layer.stat().st_mtime < time.time() - _UNUSED:
            layer.unlink()
    for name in IMAGES:
        archives = sorted(cache.glob(f"{name}-????????????.tar"), key=lambda path: path.stat().st_mtime)
        for archive in archives[:-_KEPT]:
            archive.unlink()
