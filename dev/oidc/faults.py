"""Ends a process between any two of its steps, without a process: the n-th step raises what nothing catches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from vre_operator.targets.oidc.http import Answer, IssuerHttp, Unanswered
from vre_operator.targets.store import StateKey, StateStore


class Killed(BaseException):
    """kill -9: no handler of the product may catch it."""


@dataclass(slots=True)
class Fuse:
    """Burns at step `at` (0: never) and remembers what was passed."""

    at: int = 0
    passed: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        self.passed.append(what)
        if len(self.passed) == self.at:
            raise Killed(what)


class FusedStore:
    """A store with a step before and after every write."""

    def __init__(self, inner: StateStore, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    async def load(self, key: StateKey) -> tuple[dict[str, Any], str] | None:
        return await self._inner.load(key)

    async def save(self, key: StateKey, data: Mapping[str, Any], version: str | None) -> str:
        self._fuse.step("before save")
        saved = await self._inner.save(key, data, version)
        self._fuse.step("after save")
        return saved

    async def delete(self, key: StateKey) -> None:
        self._fuse.step("before forget")
        await self._inner.delete(key)
        self._fuse.step("after forget")


def fused_http(fuse: Fuse) -> Callable[..., IssuerHttp]:
    """A factory for OidcTarget: a step before every request and one before its answer is seen."""

    class FusedHttp(IssuerHttp):
        async def request(self, method: str, url: str, **arguments: Any) -> Answer:
            what = f"{method} {urlsplit(url).path}"
            fuse.step(f"before {what}")
            answer = await super().request(method, url, **arguments)
            fuse.step(f"after {what}")
            return answer

    return FusedHttp


def late_http(verb: str, end: str, letters: list[Callable[[], Awaitable[Answer]]]) -> Callable[..., IssuerHttp]:
    """A factory for OidcTarget: the process dies with its first `verb` to a path that ends in `end` on the way.

    The request is put into `letters`, to be delivered whenever a test likes.
    """

    class LateHttp(IssuerHttp):
        async def request(self, method: str, url: str, **arguments: Any) -> Answer:
            send = super().request
            if method == verb and urlsplit(url).path.endswith(end):
                letters.append(lambda: send(method, url, **arguments))
                raise Killed(f"{method} {url}")
            return await send(method, url, **arguments)

    return LateHttp


def deaf_http(verb: str, end: str, heard: list[Answer]) -> Callable[..., IssuerHttp]:
    """A factory for OidcTarget: the first `verb` that succeeds at a path with `end` at its end is not answered.

    What was done is done. The answer is put into `heard`, for tests to know it.
    """

    class DeafHttp(IssuerHttp):
        async def request(self, method: str, url: str, **arguments: Any) -> Answer:
            answer = await super().request(method, url, **arguments)
            done = method == verb and urlsplit(url).path.endswith(end) and answer.status < 300
            if done and not heard:
                heard.append(answer)
                raise Unanswered(f"{self.host} did not answer", sent=True)
            return answer

    return DeafHttp
