# mypy: ignore-errors
"""Run a program, and kill it before its n-th SQL statement or commit. Prints how many there were."""

import os
import runpy
import signal
import sys

from sqlalchemy import event
from sqlalchemy.engine import Engine

program, last, *arguments = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
seen = 0


def step(*_):
    global seen  # noqa: PLW0603
    if seen == last:
        os.kill(os.getpid(), signal.SIGKILL)
    seen += 1


for moment in ("before_cursor_execute", "commit"):
    event.listen(Engine, moment, step)
sys.argv = [program, *arguments]
runpy.run_path(program, run_name="__main__")
print("steps:", seen)
