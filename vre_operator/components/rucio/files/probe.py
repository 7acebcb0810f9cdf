# mypy: ignore-errors
"""Does the lake do what it is for? A file for each RSE goes the whole way, and the last line says what failed.

    probe.py [--copy] [--delete] RSE...

Written, looked at again with its checksum, with --copy brought to the next RSE by a rule, read back everywhere,
and given up; with --delete until it is gone. Whatever a broken run leaves Rucio itself removes: its rules end.
"""

import argparse
import os
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from rucio.common.types import InternalAccount, InternalScope
from rucio.core.oidc import request_token
from rucio.core.replica import add_replicas
from rucio.core.rse import determine_audience_for_rse, determine_scope_for_rse, get_rse_attribute, get_rse_id
from rucio.core.rule import add_rule, delete_rule, get_rule
from rucio.core.scope import add_scope, check_scope
from rucio.db.sqla.constants import DatabaseOperationType
from rucio.db.sqla.session import db_session
from rucio.rse import rsemanager

SCOPE = "vre-probe"
BYTES = 1 << 20
LIMIT = 900
LIFETIME = 6 * 3600
PAUSE = 3


@dataclass
class Probe:
    """One file. rses: where it has to be; rules: by RSE; problem: what went wrong first."""

    rses: tuple
    content: bytes = field(default_factory=lambda: os.urandom(BYTES))
    rules: dict = field(default_factory=dict)
    problem: str = ""

    @property
    def name(self):
        return f"{self.rses[0].lower()}-{int(STARTED)}"

    @property
    def lfn(self):
        return {"scope": SCOPE, "name": self.name, "filesize": BYTES, "adler32": checksum(self.content)}


STARTED = time.time()


def checksum(content):
    return f"{zlib.adler32(content):08x}"


def silent(*_, **__):
    """rsemanager's logger: its messages have addresses and no more than its errors."""


def token(rse):
    """None where the RSE takes none."""
    identity = get_rse_id(rse)
    if not takes_tokens(identity):
        return None
    scope = determine_scope_for_rse(identity, ["storage.modify", "storage.read"])
    found = request_token(determine_audience_for_rse(identity), scope)
    if not found:
        raise RuntimeError("the identity provider gives no token for it")
    return found


def takes_tokens(identity):
    with db_session(DatabaseOperationType.READ) as session:
        return get_rse_attribute(identity, "oidc_support", session=session) is True


def write(probe):
    rse = probe.rses[0]
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / probe.name).write_bytes(probe.content)
        secret = token(rse)
        settings = rsemanager.get_rse_info(rse)
        rsemanager.upload(settings, [probe.lfn], source_dir=directory, auth_token=secret, logger=silent)


def declare(probe):
    """The replica and its rules in one transaction: what is written has an end from the start."""
    root, scope = InternalAccount("root"), InternalScope(SCOPE)
    file = {"scope": scope, "name": probe.name, "bytes": BYTES, "adler32": checksum(probe.content)}
    with db_session(DatabaseOperationType.WRITE) as session:
        if not check_scope(scope, session=session):
            add_scope(scope, root, session=session)
        add_replicas(get_rse_id(probe.rses[0], session=session), [file], root, session=session)
        for rse in probe.rses:
            (probe.rules[rse],) = add_rule(
                [{"scope": scope, "name": probe.name}],
                root,
                1,
                rse,
                "NONE",
                None,
                LIFETIME,
                False,
                None,
                purge_replicas=True,
                ignore_account_limit=True,
                activity="Functional Test",
                session=session,
            )


def missing(probe):
    """What keeps it from being everywhere; "" when nothing does."""
    with db_session(DatabaseOperationType.READ) as session:
        for rse, rule in probe.rules.items():
            found = get_rule(rule, session=session)
            if found["state"].name != "OK":
                return f"no copy at {rse}: {found['state'].name} {found['error'] or ''}".strip()
    return ""


def read(probe, rse):
    protocol = rsemanager.create_protocol(
        rsemanager.get_rse_info(rse), "read", domain="wan", auth_token=token(rse), logger=silent
    )
    protocol.connect()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "back"
        protocol.get(next(iter(protocol.lfns2pfns(probe.lfn).values())), str(path))
        if checksum(path.read_bytes()) != checksum(probe.content):
            raise RuntimeError("it reads back as something else")
    protocol.close()


def there(probe):
    """Where it still is."""
    left = [
        rse
        for rse in probe.rules
        if rsemanager.exists(rsemanager.get_rse_info(rse), probe.lfn, auth_token=token(rse), logger=silent)
    ]
    return f"not deleted at {', '.join(left)}" if left else ""


def give_up(probe):
    for rule in probe.rules.values():
        with db_session(DatabaseOperationType.WRITE) as session:
            delete_rule(rule, session=session)


def attempt(probe, what, step, *arguments):
    """What a step says of a probe that has no problem yet."""
    if probe.problem:
        return None
    try:
        return step(probe, *arguments)
    except Exception as error:  # whatever it is, it is what the probe is for
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        probe.problem = f"{' to '.join(probe.rses)}: {what} failed: {told}"


def wait(probes, question, limit):
    """Until `question` has nothing to say of any; what it says at the end is the problem."""
    end = time.monotonic() + limit
    while True:
        told = [attempt(probe, "a look at it", question) for probe in probes]
        if not any(told) or time.monotonic() > end:
            break
        time.sleep(PAUSE)
    for probe, words in zip(probes, told):  # noqa: B905 the image's Python may be 3.9
        if words:
            probe.problem = f"{' to '.join(probe.rses)}: {words} after {limit} s"


def pairs(rses, copy):
    if not copy or len(rses) == 1:
        return [Probe((rse,)) for rse in rses]
    return [Probe((rse, rses[(number + 1) % len(rses)])) for number, rse in enumerate(rses)]


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("rses", nargs="+")
    parser.add_argument("--copy", action="store_true")
    parser.add_argument("--delete", action="store_true")
    parser.add_argument("--limit", type=int, default=LIMIT)
    wanted = parser.parse_args(arguments)
    probes = pairs(wanted.rses, wanted.copy)

    def step(words):
        print(f"{time.time() - STARTED:.1f} s: {words}", flush=True)

    for probe in probes:
        attempt(probe, "writing", write)
        attempt(probe, "making its rules", declare)
    step("written")
    wait(probes, missing, wanted.limit)
    step("at its places")
    for probe in probes:
        for rse in probe.rules:
            attempt(probe, f"reading at {rse}", read, rse)
    step("read back")
    for probe in probes:
        attempt(probe, "ending its rules", give_up)
    if wanted.delete:
        wait(probes, there, wanted.limit)
        step("deleted")
    problems = [probe.problem for probe in probes if probe.problem]
    if problems:
        print("; ".join(problems), flush=True)
        return 1
    print(f"all is well with {', '.join(wanted.rses)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
