# mypy: ignore-errors
"""What every job of a person has of the data lake: files in the person's own Secret at REANA.

It is the same Secret as of `reana-client secrets-add`, in REANA's form (reana_commons/k8s/secrets.py): what the
person keeps in there stays. VRE_LAKE: the directory with the files; without it there is nothing to do.
Standard library only, with the pod's own account.
"""

import base64
import hashlib
import hmac
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path(os.environ.get("VRE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
TYPES = "secrets_types"
TIMEOUT = 15


def card(name, key):
    """By which the hub knows a job of this person: hub/files/tokens.py reads it."""
    return f"{name}.{hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()}"


def wanted(name, key, directory):
    files = {one.name: one.read_bytes() for one in Path(directory).iterdir() if not one.name.startswith(".")}
    files["vre-person"] = card(name, key).encode()
    return {file: base64.b64encode(content).decode() for file, content in files.items()}


def ask(method, path, body=None):
    """The API server; None where there is nothing."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    headers = {
        "Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"https://{host}:{port}{path}", data, headers, method=method)
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    try:
        with opener.open(asked, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404 and method == "GET":
            return None
        raise


def kept(identity, name, key):
    """Bring the Secret of the person with this id at REANA up to date; settled, one request. key: a file."""
    directory = os.environ.get("VRE_LAKE", "")
    if not directory or not name:
        return
    namespace = os.environ["REANA_RUNTIME_KUBERNETES_NAMESPACE"]
    secrets, title = f"/api/v1/namespaces/{namespace}/secrets", f"reana-secretsstore-{identity}"
    found = ask("GET", f"{secrets}/{title}")
    ours = wanted(name, key.read_text().strip(), directory)
    data = dict((found or {}).get("data") or {})
    if found and all(data.get(file) == content for file, content in ours.items()):
        return
    metadata = (found or {}).get("metadata") or {"name": title}
    annotations = metadata.get("annotations") or {}
    types = json.loads(annotations.get(TYPES) or "{}")
    metadata["annotations"] = {**annotations, TYPES: json.dumps({**types, **dict.fromkeys(ours, "file")})}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {**data, **ours}}
    # With the version that was read: what somebody else wrote meanwhile is not lost.
    ask("PUT", f"{secrets}/{title}", body) if found else ask("POST", secrets, body)
