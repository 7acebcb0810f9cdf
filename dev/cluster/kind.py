"""The same cluster as a kind cluster, where a Docker engine answers. Not tried out yet."""

from pathlib import Path


def usable() -> bool:
    return False


def exists(name: str) -> bool:
    return False


def up(name: str, *, https_port: int | None, http_port: int | None) -> None:
    raise NotImplementedError


def down(name: str) -> None:
    raise NotImplementedError


def load(name: str, archives: list[Path]) -> list[str]:
    raise NotImplementedError


def node_ip(name: str) -> str:
    raise NotImplementedError
