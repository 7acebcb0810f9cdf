"""The operator as a real process that can be killed and started again hundreds of times."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.ports import free_port


@dataclass
class Process:
    """`environment`: on top of this process's own; `extra`: on top of that, for starts while it is set.

    A context manager; ends what runs. kills: how often that was done on purpose. starts: how often it began.
    """

    environment: Mapping[str, str]
    log_file: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    starts: int = 0
    kills: int = 0
    # Kept over all lives: each is reserved until this process ends, and there are hundreds of lives.
    ports: Mapping[str, str] = field(
        default_factory=lambda: {name: str(free_port()) for name in ("VRE_HEALTH_PORT", "VRE_METRICS_PORT")}
    )
    _zygote: subprocess.Popen[str] | None = None
    _handle: int = field(default=-1)

    def __enter__(self) -> Process:
        command = [sys.executable, "-m", "tests.faults.rig.zygote"]
        # The whole environment at once: some packages read it when they are imported.
        environment = {**os.environ, **self.environment}
        self._zygote = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.log_file.touch()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._zygote is not None
        if self.alive:
            self.kill()
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.stdout.close()
        self._zygote.wait(10)
        self._forget()

    def start(self) -> None:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        assert not self.alive
        self._forget()
        self.starts += 1
        environment = {**os.environ, **self.ports, **self.environment, **self.extra}
        order = {"environment": environment, "log": str(self.log_file)}
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        self._handle = os.pidfd_open(int(self._zygote.stdout.readline()))

    def kill(self) -> None:
        """kill -9, and wait until nothing of it runs any more."""
        self.kills += 1
        signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        self._ended(10)

    def stop(self, seconds: float = 20) -> None:
        """As Kubernetes ends a pod."""
        signal.pidfd_send_signal(self._handle, signal.SIGTERM)
        assert self._ended(seconds), "the operator does not end"

    def pause(self) -> None:
        signal.pidfd_send_signal(self._handle, signal.SIGSTOP)

    def resume(self) -> None:
        signal.pidfd_send_signal(self._handle, signal.SIGCONT)

    @property
    def alive(self) -> bool:
        return self._handle >= 0 and not self._ended(0)

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """The lines after byte `since`; one that is no JSON (the interpreter's own words) as a message."""
        with self.log_file.open() as file:
            file.seek(since)
            return [_line(text) for text in file.read().splitlines()]

    @property
    def log_size(self) -> int:
        return self.log_file.stat().st_size

    def wait_for(self, message: str, since: int, seconds: float = 60) -> None:
        """Until the log has `message`; the limit only guards against a hang."""
        end = time.monotonic() + seconds
        while not any(message in line["message"] for line in self.log(since)):
            assert self.alive, self.log(since)[-3:]
            assert time.monotonic() < end, f"the log has no {message!r}"
            time.sleep(0.01)

    def _ended(self, seconds: float) -> bool:
        """Within so many seconds. Not by select(), which knows no file beyond the 1,024th."""
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def _forget(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _line(text: str) -> dict[str, Any]:
    try:
        line: dict[str, Any] = json.loads(text)
    except ValueError:
        return {"level": "raw", "logger": "", "message": text}
    return line
