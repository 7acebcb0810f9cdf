"""Progress of long steps, with the time since the command started."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

_START = time.monotonic()
_QUIET_SECONDS = 15.0
_console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

Say = Callable[[str], None]


def note(text: str) -> None:
    """Print one line with the elapsed time."""
    _console.print(f"[{time.monotonic() - _START:6.1f}s] {text}")


@contextmanager
def step(title: str) -> Iterator[Say]:
    """Announce a long step, then how long it took.

    The value is a function that tells how far the step is. A terminal shows that in place; a log gets
    one line every 15 seconds, so that a long build is seen to be alive and is not a wall of text.
    """
    began = time.monotonic()
    if sys.stderr.isatty():
        with _console.status(title) as status:
            yield lambda text: status.update(f"{title}: {text} ({time.monotonic() - began:.0f}s)")
    else:
        note(f"{title} ...")
        told = began

        def say(text: str) -> None:
            nonlocal told
            if time.monotonic() - told >= _QUIET_SECONDS:
                told = time.monotonic()
                note(f"{title}: {text}")

        yield say
    note(f"{title}: done in {time.monotonic() - began:.1f}s")
