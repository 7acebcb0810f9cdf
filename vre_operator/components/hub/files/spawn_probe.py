# mypy: ignore-errors
"""Starts a session of each environment named, asks it whether it answers, and ends it. No library is needed.

Exits with 1 when one does not come; the last line then says which and why. A hub that is full is no failure.
Source: JupyterHub's REST API, "Starting servers with the JupyterHub API".
"""

import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request

HUB, PROXY, PERSON = os.environ["HUB"], os.environ["PROXY"], os.environ["PERSON"]
USER = f"/hub/api/users/{PERSON}"
START_SECONDS, STOP_SECONDS = 600, 120
FULL = 429


class Failed(Exception):
    pass


def ask(method, url, data=None, known=()):
    """(status, answer); statuses in `known` are no errors."""
    request = urllib.request.Request(  # noqa: S310
        url,
        json.dumps(data).encode() if data is not None else None,
        {"Authorization": f"token {os.environ['TOKEN']}"},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text
    except urllib.error.HTTPError as error:
        told = error.read(2000).decode(errors="replace")
        if error.code in known:
            return error.code, told
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(told)["message"]
        raise Failed(f"{method} {url.partition('://')[2]} is answered with {error.code}: {told}") from None
    except OSError as error:
        raise Failed(f"{url.partition('://')[2]} cannot be reached: {error}") from None


def server():
    """What the hub knows of the session; None when there is none."""
    _, person = ask("GET", HUB + USER)
    return (person.get("servers") or {}).get("")


def told():
    """The last word of the hub on a start that failed."""
    _, text = ask("GET", HUB + USER + "/server/progress", known=(400, 404))
    events = [json.loads(line[5:]) for line in str(text).splitlines() if line.startswith("data:")]
    return events[-1].get("message", "") if events else ""


def stop():
    ask("DELETE", HUB + USER + "/server", known=(400, 404))
    wait(lambda: server() is None, STOP_SECONDS, "its session does not end")


def wait(holds, seconds, words):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise Failed(words)
        time.sleep(1)


def ready():
    now = server()
    if now is None:
        raise Failed(told() or "its session ended while it started")
    return now["ready"]


def start(entry):
    """Seconds until it answered; None when the hub has no room."""
    stop()
    began = time.monotonic()
    status, _ = ask("POST", HUB + USER + "/server", {"profile": entry}, known=(FULL,))
    if status == FULL:
        return None
    wait(ready, START_SECONDS, f"no session after {START_SECONDS} s")
    ask("GET", f"{PROXY}/user/{PERSON}/api/status")
    return time.monotonic() - began


def main(entries):
    failed = []
    try:
        ask("POST", HUB + USER, known=(409,))
        for entry in entries:
            try:
                seconds = start(entry)
                took = "the hub is full" if seconds is None else f"{seconds:.0f} s"
                print(f"{entry}: {took}", flush=True)
            except Failed as why:
                failed.append(f"{entry} does not start: {why}")
        stop()
    except Failed as why:
        failed.append(f"the hub cannot be asked: {why}")
    if failed:
        print("; ".join(failed)[:300], flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
