"""Whether this is `make test-long`, which leaves nothing out, or the share of it that CI runs."""

import os
from collections.abc import Iterable
from typing import TypeVar

LONG = os.environ.get("VRE_LONG") == "1"
T = TypeVar("T")


def share(everything: Iterable[T], step: int) -> list[T]:
    """All of them, and in CI one of every `step`, the first among them."""
    return list(everything)[:: 1 if LONG else step]
