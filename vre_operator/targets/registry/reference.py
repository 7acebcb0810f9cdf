"""The name of an image: at which registry it is, and what of it is meant.

Source: github.com/distribution/reference, the grammar and what Docker Hub is short for.
"""

from __future__ import annotations

from dataclasses import dataclass

DOCKER_HUB = "docker.io"
_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Reference:
    """written: without tag and digest. registry: the name under which credentials are kept. host: where its API
    is, with the port. tag: "" where a digest is given."""

    written: str
    registry: str
    host: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Of any text that the API admits as an image (api.catalogue.IMAGE)."""
        named, _, digest = text.partition("@")
        written, colon, tag = named.rpartition(":")
        if not colon or "/" in tag:  # the colon before a port
            written, tag = named, ""
        first, slash, rest = written.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, repository = first, rest
        else:
            registry, repository = DOCKER_HUB, written
        hub = registry in (DOCKER_HUB, f"index.{DOCKER_HUB}")
        if hub and "/" not in repository:
            repository = f"library/{repository}"
        return cls(
            written=written,
            registry=DOCKER_HUB if hub else registry,
            host=_HUB_API if hub else registry,
            repository=repository,
            tag=tag or ("" if digest else "latest"),
            digest=digest,
        )

    def pinned(self, digest: str) -> str:
        """The same image, by its digest."""
        return f"{self.written}@{digest}"

    def __str__(self) -> str:
        return f"{self.written}@{self.digest}" if self.digest else f"{self.written}:{self.tag}"
