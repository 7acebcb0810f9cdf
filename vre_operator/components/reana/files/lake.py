# mypy: ignore-errors
"""Runs a command of a job as its person at the data lake.

    python3 /etc/reana/secrets/lake.py rucio download SCOPE:NAME

The hub gives the token as long as the person's login there lasts; it stays fresh while the command runs. What
it needs lies beside this file, and no library is needed. Ends as the command does.
"""

import os
import subprocess
import sys
import threading
import time
import urllib.error
from pathlib import Path

from session_token import SHORTEST, renewed, trust

HERE = Path(__file__).resolve().parent
DIRECTORY = Path(os.environ.get("VRE_LAKE_DIRECTORY", "/tmp/vre-lake"))  # noqa: S108  the pod is the person's


def once_more():
    service, person = ((HERE / name).read_text().strip() for name in ("vre-service", "vre-person"))
    return renewed(service, person, DIRECTORY / "token")


def kept(wait):
    while True:
        time.sleep(wait)
        try:
            wait = once_more()
        except (OSError, ValueError, KeyError):
            wait = SHORTEST


def first(tries=3):
    try:
        return once_more()
    except urllib.error.HTTPError as error:
        said, for_ever = f" ({error.code}): {error.read(300).decode(errors='replace')}", error.code < 500
    except (OSError, ValueError, KeyError) as error:
        said, for_ever = f": {type(error).__name__}", False
    if for_ever or tries == 1:
        sys.exit(f"no token for the data lake{said}")
    time.sleep(SHORTEST)
    return first(tries - 1)


def main(command):
    DIRECTORY.mkdir(mode=0o700, exist_ok=True)
    variables = {"RUCIO_CONFIG": str(HERE / "rucio.cfg")}
    if (HERE / "ca.crt").exists():
        trust(HERE / "ca.crt", DIRECTORY / "certificates")
        variables["X509_CERT_DIR"] = str(DIRECTORY / "certificates")
    threading.Thread(target=kept, args=(first(),), daemon=True).start()
    return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
