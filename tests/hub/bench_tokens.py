"""How old a session's token gets: `python -m tests.hub.bench_tokens [MINUTES]`, 30 of them when not said.

A real hub, its token service and the program of a session, with tokens that are good for two minutes and the
configuration of a tenant as it is. The file is looked at each second. The provider is that of the hub's tests.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.hub.test_login import with_spec
from tests.hub.test_tokens import PROGRAM, SPEC, session
from tests.site import eventually

LIFETIME = 120.0


def remaining(file: Path) -> float:
    """Seconds for which the token in the file is good."""
    part = file.read_text().split(".")[1]
    return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]) - time.time()


def main(minutes: float) -> None:
    with tempfile.TemporaryDirectory() as folder, with_spec(SPEC, VRE_HUB_AS_IT_IS="1") as hub:
        token, file = session(hub, "alice", lifetime=LIFETIME), Path(folder) / "rucio"
        command = [sys.executable, str(PROGRAM), f"http://127.0.0.1:{hub.tokens}/", str(file)]
        with subprocess.Popen(command, env={"JUPYTERHUB_API_TOKEN": token}) as program:
            try:
                eventually(file.exists)
                left: list[float] = []
                end = time.monotonic() + minutes * 60
                while time.monotonic() < end:
                    left.append(remaining(file))
                    time.sleep(1)
            finally:
                program.kill()
        old = sum(seconds <= 0 for seconds in left)
        print(f"{minutes:g} minutes, tokens of {LIFETIME:g} s, looked at {len(left)} times")
        print(f"least time left: {min(left):.0f} s; no longer good: {old} times")
        rate = hub.provider.refreshes / minutes
        print(f"renewals at the provider: {hub.provider.refreshes}, {rate:.1f} a minute")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 30)
