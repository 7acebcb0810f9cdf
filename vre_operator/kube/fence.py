"""A request's body that stays here when this process may not write any more.

To ask before a request is begun is not enough: connections have to be made first, sixteen of them at the start
of a new leader, and a process that is stopped meanwhile would send them all when it wakes up.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload


class NotSentError(Exception):
    """The fence is down; nothing of the request has left, for headers travel with the body's first piece."""


class FencedBody(BytesPayload):
    """`may_send` is asked when the connection stands."""

    def __init__(self, body: bytes, content_type: str, may_send: Callable[[], bool]) -> None:
        super().__init__(body, content_type=content_type)
        self._may_send = may_send

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Raises NotSentError, which aiohttp tells as a ClientConnectionError."""
        if not self._may_send():
            raise NotSentError
        await super().write_with_length(writer, content_length)
