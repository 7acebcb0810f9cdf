# mypy: ignore-errors
"""A file's life, inside a pod of Rucio: uploaded to one RSE, copied to another by a rule, and deleted there.

Arguments: the two RSEs, a scope, a size in bytes. Prints what happened, as JSON, in the last line.
"""

import json
import os
import sys
import time
import zlib

import requests
from rucio.common.types import InternalAccount, InternalScope
from rucio.core.oidc import request_token
from rucio.core.replica import add_replicas
from rucio.core.rse import determine_audience_for_rse, determine_scope_for_rse, get_rse_id
from rucio.core.rule import add_rule, delete_rule, get_rule
from rucio.db.sqla.constants import DatabaseOperationType
from rucio.db.sqla.session import db_session
from rucio.rse import rsemanager

# Rucio asks again after five minutes about a transfer of which it was told nothing.
LIMIT = 480


def token(rse):
    identity = get_rse_id(rse)
    scope = determine_scope_for_rse(identity, ["storage.modify", "storage.read"])
    return request_token(determine_audience_for_rse(identity), scope)


def address(rse, scope, name):
    settings = rsemanager.get_rse_info(rse)
    lfn = {"scope": scope, "name": name}
    (url,) = rsemanager.lfns2pfns(settings, lfn, operation="write", scheme="davs").values()
    return url.replace("davs://", "https://", 1)


def head(url, secret):
    headers = {"Want-Digest": "adler32"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    answer = requests.head(url, headers=headers, timeout=60)
    return (
        answer.headers.get("Digest", "").partition("=")[2] if answer.status_code == 200 else answer.status_code
    )


def until(asked, wanted):
    deadline = time.monotonic() + LIMIT
    while (seen := asked()) not in wanted and time.monotonic() < deadline:
        time.sleep(1)
    return seen


def state(rule):
    with db_session(DatabaseOperationType.READ) as session:
        found = get_rule(rule, session=session)
    return found["state"].name if found["state"].name != "STUCK" else f"STUCK {found['error']}"


def main(first, second, scope, size):
    name = f"journey-{int(time.time())}"
    content = os.urandom(1 << 20) * (int(size) >> 20)
    told = {"checksum": f"{zlib.adler32(content):08x}"}
    began = time.monotonic()
    source, target = (address(rse, scope, name) for rse in (first, second))
    secret = token(first)
    requests.put(
        source, data=content, headers={"Authorization": f"Bearer {secret}"}, timeout=300
    ).raise_for_status()
    told |= {
        "source": head(source, secret),
        "anonymous": head(source, ""),
        "other": head(source, token(second)),
    }
    told["upload seconds"] = round(time.monotonic() - began, 1)
    root, inside = InternalAccount("root"), InternalScope(scope)
    with db_session(DatabaseOperationType.WRITE) as session:
        file = {"scope": inside, "name": name, "bytes": len(content), "adler32": told["checksum"]}
        add_replicas(get_rse_id(first, session=session), [file], root, session=session)
        (rule,) = add_rule(
            [{"scope": inside, "name": name}],
            root,
            1,
            second,
            "NONE",
            None,
            None,
            False,
            None,
            ignore_account_limit=True,
            session=session,
        )
    began = time.monotonic()
    told["rule"] = until(lambda: state(rule), {"OK"})
    told["copy seconds"] = round(time.monotonic() - began, 1)
    told["copy"] = head(target, token(second))
    with db_session(DatabaseOperationType.WRITE) as session:
        delete_rule(rule, session=session)
    began = time.monotonic()
    told["removed"] = until(lambda: head(target, token(second)), {404})
    told["deletion seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
