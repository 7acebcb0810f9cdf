"""How long to wait before trying a tenant again: doubling with jitter, per tenant."""

from __future__ import annotations

import random
from collections.abc import Hashable


class Backoff:
    """From `first` to `limit` seconds; forget() after a success.

    The limit is what a person waits who has mended something that nobody tells us of, a Secret for example.
    """

    def __init__(self, first: float = 1.0, limit: float = 60.0, seed: int | None = None) -> None:
        self._first = first
        self._limit = limit
        self._attempts: dict[Hashable, int] = {}
        self._random = random.Random(seed)  # noqa: S311 jitter, not a secret

    def next(self, key: Hashable, hint: float | None = None) -> float:
        """Seconds to wait now; `hint` is what the other side asked for (Retry-After)."""
        attempt = self._attempts.get(key, 0)
        self._attempts[key] = min(attempt + 1, 30)
        if hint is not None:
            return self.jittered(hint)
        return self.jittered(min(self._limit, self._first * 2.0**attempt))

    def forget(self, key: Hashable) -> None:
        self._attempts.pop(key, None)

    def jittered(self, seconds: float) -> float:
        """Up to a tenth more, so that tenants do not march in step."""
        return seconds * (1 + self._random.random() / 10)
