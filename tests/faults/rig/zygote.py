"""Forks operators: `python -m tests.faults.rig.zygote` has imported everything, so a start costs milliseconds.

A line of JSON on stdin, {"environment": {...}, "log": path}, is answered by the process id of a new operator.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from typing import Any

import kubernetes.client
import kubernetes.config  # noqa: F401 the operator imports it late

from vre_operator.runtime import main

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def _become(order: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["vre-operator"]
    code = 0
    try:
        main.main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stderr.flush()
    os._exit(code)


def run() -> None:
    """Until stdin ends."""
    # Nobody waits for the dead: their end is seen through a file descriptor of the process.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(order)
        print(child, flush=True)


if __name__ == "__main__":
    run()
