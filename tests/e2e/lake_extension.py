# mypy: ignore-errors
"""What clicks in Rucio's JupyterLab extension ask of its server, inside a session: a file comes, another goes.

Arguments: the extension's instance, a file's DID, an RSE to upload to. Nobody has set anything up. Prints the
checksum of what came.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

import requests

LIMIT = 120
ADDRESS = f"http://127.0.0.1:8888{os.environ['JUPYTERHUB_SERVICE_PREFIX']}rucio-jupyterlab"
TOKEN = {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"}


def ask(method, path, instance, body=None, **query):
    answer = requests.request(
        method,
        f"{ADDRESS}/{path}",
        params={"namespace": instance, **query},
        json=body,
        headers=TOKEN,
        timeout=60,
    )
    if not answer.ok:
        sys.exit(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json()


def until(asked):
    deadline = time.monotonic() + LIMIT
    while (seen := asked()) is None or seen["status"] != "OK":
        if time.monotonic() > deadline or (seen and seen["status"] == "FAILED"):
            sys.exit(f"not done: {seen}")
        time.sleep(1)
    return seen


def upload(instance, scope, rse):
    file = Path(f"clicked-{int(time.time())}").absolute()
    file.write_text("from the extension")
    ask("POST", "upload", instance, {"file_paths": [str(file)], "rse": rse, "scope": scope})
    did = f"{scope}:{file.name}"
    until(lambda: next((one for one in ask("GET", "upload/jobs", instance) if one["did"] == did), None))


def main(instance, did, rse):
    found = ask("GET", "did-search", instance, did=f"{did.partition(':')[0]}:*", type="file")
    assert did in [one["did"] for one in found], found
    ask("POST", "did/make-available", instance, {"did": did})
    there = until(lambda: next(iter(ask("GET", "did", instance, did=did, force="1")), None))
    upload(instance, did.partition(":")[0], rse)
    print(hashlib.sha256(Path(there["path"]).read_bytes()).hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])
