# mypy: ignore-errors
"""Whether workflows do what they are for: one of a single step, from its file to its result.

    probe.py IMAGE

REANA and PEOPLE are where the server and its people answer, HOSTNAME is REANA's name to the world, TOKEN what
the program shows to people.py. It is a person of its own at REANA, whom nobody can log in as, and leaves
nothing behind but its own last run where that did not end. Its last line is what the condition tells.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

NAME, PERSON = "vre-probe", "probe@reana.invalid"
CONTENT = b"measured twice"
LIMIT = 600


def fetch(method, url, body, headers):
    asked = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=60) as answer:
        return answer.read()


def entered():
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}
    told = fetch("PUT", os.environ["PEOPLE"] + PERSON, b'{"name": "Probe", "username": "vre-probe"}', headers)
    return json.loads(told)["token"]


class Reana:
    def __init__(self, token):
        self.token = token

    def ask(self, method, path, body=b"{}", kind="application/json"):
        """As the front door hands it on. Raises OSError."""
        url = f"{os.environ['REANA']}/api/workflows{path}{'&' if '?' in path else '?'}access_token={self.token}"
        headers = {"Host": os.environ["HOSTNAME"], "X-Forwarded-Proto": "https", "Content-Type": kind}
        return fetch(method, url, body, headers)

    def removed(self):
        """Whatever an earlier probe left."""
        for status, wish in (("stop", b"{}"), ("deleted", b'{"all_runs": true, "workspace": true}')):
            # There is none, or it has ended.
            with suppress(urllib.error.HTTPError):
                self.ask("PUT", f"/{NAME}/status?status={status}", wish)


def specification(image):
    step = {"name": "copy", "environment": image, "commands": ["cp data.txt result.txt"]}
    return {
        "version": "0.9.0",
        "inputs": {"files": ["data.txt"]},
        "workflow": {"type": "serial", "specification": {"steps": [step]}},
        "outputs": {"files": ["result.txt"]},
    }


def main(image):
    began = time.monotonic()
    step = "asking for a token"
    try:
        reana = Reana(entered())
        reana.removed()
        step = "making a workflow"
        made = reana.ask("POST", f"?workflow_name={NAME}", json.dumps(specification(image)).encode())
        run = f"/{json.loads(made)['workflow_id']}"
        step = "bringing its file"
        reana.ask("POST", f"{run}/workspace?file_name=data.txt", CONTENT, "application/octet-stream")
        step = "starting it"
        reana.ask("POST", f"{run}/start")
        step = "asking how it does"
        status = ""
        while status not in ("finished", "failed", "stopped"):
            if time.monotonic() - began > LIMIT:
                return f"after {LIMIT} s the workflow is {status}"
            time.sleep(2)
            status = json.loads(reana.ask("GET", f"{run}/status", None))["status"]
        if status != "finished":
            logs = json.loads(reana.ask("GET", f"{run}/logs", b"[]"))["logs"]
            return f"the workflow {status}: {' '.join(str(logs).split())[-400:]}"
        step = "fetching its result"
        found = reana.ask("GET", f"{run}/workspace/result.txt", None)
        reana.removed()
    except urllib.error.HTTPError as error:
        # Never with its URL, which holds the token.
        return f"{step}: REANA answers {error.code}: {error.read(300).decode(errors='replace')}"
    except (OSError, ValueError, KeyError) as error:
        return f"{step}: {type(error).__name__}"
    if found != CONTENT:
        return "the result is not what was brought"
    print(f"a workflow took {time.monotonic() - began:.0f} s", flush=True)
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) or 0)
