"""The development images: the official images' contracts, made from packages only."""

from dev.images.build import build, refs

__all__ = ["build", "refs"]
