"""Where the development cluster keeps what is not source."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """Give the directory of everything that can be made again: ``$VRE_DEV_CACHE`` or the user's cache."""
    if own := os.environ.get("VRE_DEV_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vre-operator"


def clusters_dir() -> Path:
    """Give the directory with one state directory for each cluster that is up."""
    return cache_dir() / "clusters"
