# mypy: ignore-errors
"""Gives a session's kernels and terminals the person's token for REANA, as reana-client reads it.

Jupyter runs this at the start of each session. It is in no pod's environment: the hub's service `tokens` is
asked with the session's own API token. Without an answer the session starts all the same, and its log says why.
"""

import json
import os
import time
import urllib.error
import urllib.request

TRIES, PAUSE = 3, 2


def token():
    headers = {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(os.environ["VRE_TOKENS_URL"] + "reana", headers=headers)  # noqa: S310
    with opener.open(asked, timeout=30) as answer:
        return json.load(answer)["token"]


for left in reversed(range(TRIES)):
    try:
        os.environ["REANA_ACCESS_TOKEN"] = token()
        break
    except urllib.error.HTTPError as error:
        print(f"no token for REANA ({error.code}): {error.read(200).decode(errors='replace')}", flush=True)
        if error.code < 500:
            break
    except (OSError, ValueError, KeyError) as error:
        print(f"no token for REANA: {type(error).__name__}", flush=True)
    if left:
        time.sleep(PAUSE)
