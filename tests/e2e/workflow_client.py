# mypy: ignore-errors
"""What a person's notebook runs: a workflow of one step, from its file to its result. No library is needed.

Arguments: the image of the step, the workflow's name, its type, the step's command. Prints {"me", "id",
"status", "seconds", "first_job", "result", "logs"}.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

BASE, TOKEN = os.environ["REANA_SERVER_URL"], os.environ["REANA_ACCESS_TOKEN"]
TLS = ssl.create_default_context()
with suppress(FileNotFoundError):
    TLS.load_verify_locations("/etc/vre/ca/ca.crt")


def ask(method, path, body=None, kind="application/json"):
    url = f"{BASE}/api/{path}{'&' if '?' in path else '?'}access_token={TOKEN}"
    asked = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=60, context=TLS) as answer:  # noqa: S310
            return answer.read()
    except urllib.error.HTTPError as error:
        # Never with the URL, which holds the token.
        said = error.read(500).decode(errors="replace")
        raise SystemExit(f"{method} {path.partition('?')[0]}: {error.code} {said}") from None


COMMAND = "sleep 2; wc -c < data.txt > result.txt"


def specification(image, kind, command):
    step = {"name": "count", "environment": image, "commands": [command]}
    return {
        "version": "0.9.0",
        "inputs": {"files": ["data.txt"]},
        "workflow": {"type": kind, "specification": {"steps": [step]}},
        "outputs": {"files": ["result.txt"]},
    }


def main(image, name, kind="serial", command=COMMAND):
    me = json.loads(ask("GET", "you"))
    made = json.loads(
        ask("POST", f"workflows?workflow_name={name}", json.dumps(specification(image, kind, command)).encode())
    )
    workflow = made["workflow_id"]
    ask("POST", f"workflows/{workflow}/workspace?file_name=data.txt", b"x" * 1234, "application/octet-stream")
    began = time.monotonic()
    ask("POST", f"workflows/{workflow}/start", b"{}")
    first_job = None
    while time.monotonic() - began < 240:
        told = json.loads(ask("GET", f"workflows/{workflow}/status"))
        if first_job is None and told["progress"].get("running", {}).get("total"):
            first_job = round(time.monotonic() - began, 1)
        if told["status"] in ("finished", "failed", "stopped"):
            break
        time.sleep(0.5)
    logs = json.loads(json.loads(ask("GET", f"workflows/{workflow}/logs", b"[]"))["logs"])
    result = None
    if told["status"] == "finished":
        result = ask("GET", f"workflows/{workflow}/workspace/result.txt").decode().strip()
    print(
        json.dumps(
            {
                "me": me["email"],
                "id": workflow,
                "status": told["status"],
                "seconds": round(time.monotonic() - began, 1),
                "first_job": first_job,
                "result": result,
                "logs": logs if result is None else "",
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
