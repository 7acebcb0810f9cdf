"""What a coroutine costs the loop that it shares with others."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Metered(Generic[T]):
    """Await it in place of `work`, once. cpu: seconds of CPU in its own steps so far, without the time in which
    it waits and without tasks that it starts."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        self.cpu = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        answer: Any = None
        error: BaseException | None = None
        while True:
            began = time.thread_time()
            try:
                asked = self._work.throw(error) if error else self._work.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                self.cpu += time.thread_time() - began
            answer, error = None, None
            try:
                answer = yield asked
            except BaseException as thrown:
                # A cancellation, too, is the work's to answer.
                error = thrown
