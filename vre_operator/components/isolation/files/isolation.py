# mypy: ignore-errors
"""Tries from inside a tenant's pod what its walls must stop. No library is needed.

    isolation.py listen PORT...       the canary: takes every connection and ends it
    isolation.py try FILE [ATTEMPTS]  tries what FILE says, and ATTEMPTS, a JSON list of the same form

A connection is opened and ended, and nothing is ever sent. Most of what is tried may have gone, or refuse by
itself, so two things are known for certain: the canary's one port, which must answer, shows that network, names
and canary are alive, and its other port, served by the same process, shows the wall.

Prints STATE, WHAT, WHERE and HOW of each attempt, with tabs between; the last line says what it comes to.
Exits with 0 when all was stopped, 2 when something was open, 3 when policies count for nothing, 4 when nothing
can be told.
"""

import errno
import ipaddress
import json
import os
import re
import selectors
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OPEN, STOPPED, SKIPPED, UNKNOWN = "open", "stopped", "skipped", "unknown"
HOLDS, WALLS_OPEN, NOT_ENFORCED, NOTHING_TOLD = 0, 2, 3, 4
# Seconds: for one connection; until what must answer does; until a wall that is late has come, as some plugins
# put it up only after the pod has started.
ANSWER, PATIENCE, LATE = (float(os.environ.get(name, default)) for name, default in (
    ("ANSWER_SECONDS", 3), ("PATIENCE_SECONDS", 60), ("LATE_SECONDS", 20)
))  # fmt: skip
NODE = os.environ.get("NODE", "")
WALLS = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "no answer",
    errno.ECONNRESET: "cut off",
    errno.EPERM: "not permitted",
    errno.EACCES: "not permitted",
    **dict.fromkeys(
        (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT), "no way there"
    ),
}
SECRET = re.compile(r"token|secret|passw|credential|(api|access|private)_?key", re.IGNORECASE)


def attempt(host, port):
    """(state, how) of a connection to any address of that name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return STOPPED, "no such name"
    ways = [connect(*address) for address in sorted({(each[0], each[4]) for each in found})]
    return next((way for state in (OPEN, UNKNOWN) for way in ways if way[0] == state), ways[0])


def connect(family, address):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as link:
            link.settimeout(ANSWER)
            link.connect(address)
    except TimeoutError:
        return STOPPED, "no answer"
    except OSError as error:
        # What is no answer of the network, such as a lack of file descriptors, is no wall.
        how = WALLS.get(error.errno)
        return (STOPPED, how) if how else (UNKNOWN, error.strerror or "no reason is known")
    return OPEN, "connected"


def reached(one):
    """Of what must answer: (state, how) once it does, or the last one."""
    end = time.monotonic() + PATIENCE
    while (told := attempt(one["host"], one["port"]))[0] != OPEN and time.monotonic() < end:
        time.sleep(min(1, PATIENCE))
    return told


def stopped(one):
    """(state, how) of what must not answer. What answers is tried again for a while: a late wall is one."""
    if not one["host"]:
        return SKIPPED, "the node's address is not known"
    if one.get("node") and ipaddress.ip_address(one["host"]).is_global:
        return SKIPPED, "a public address is open to the tenant, as the internet is"
    began = time.monotonic()
    told = first = attempt(one["host"], one["port"])
    seen = began
    while told[0] == OPEN and time.monotonic() < began + LATE:
        seen = time.monotonic()
        time.sleep(min(1, LATE))
        told = attempt(one["host"], one["port"])
    if first[0] == OPEN and told[0] == STOPPED:
        return STOPPED, f"{told[1]}, but open for the first {seen - began + 0.5:.0f} s"
    return told


def here(wish):
    """What the pod itself knows: API server, node, the way out."""
    node = [dict(one, host=NODE, node=True) for one in wish["node"]]
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if host:
        node.append({"what": "API server by its address", "host": host, "port": int(port)})
    way = gateway(wish["routes"])
    if way and way != NODE:
        node += [
            dict(one, what=f"{one['what']} by the gateway", host=way, node=True) for one in wish["node"][:1]
        ]
    return node


def gateway(table):
    """The IPv4 address of the default route; "" where there is none, or it is a mere name for the node."""
    try:
        routes = [line.split() for line in Path(table).read_text().splitlines()[1:]]
    except OSError:
        return ""
    found = [bytes.fromhex(route[2])[::-1] for route in routes if int(route[1], 16) == 0 and int(route[2], 16)]
    address = ipaddress.ip_address(found[0]) if found else None
    return str(address) if address and not address.is_link_local else ""


def secrets(wish):
    """(state, what, where, how): credentials that nobody meant to give. Their names alone are told."""
    for folder in wish["secrets"]:
        files = [str(Path(place) / name) for place, _, names in os.walk(folder) for name in names]
        where = files[0] if files else folder
        yield OPEN if files else STOPPED, "mounted credentials", where, "there are some" if files else "none"
    names = sorted(name for name in os.environ if SECRET.search(name))
    where = ", ".join(names) or "-"
    yield (
        OPEN if names else STOPPED,
        "credentials in the environment",
        where,
        "there are some" if names else "none",
    )


def place(one):
    host = f"[{one['host']}]" if ":" in one["host"] else one["host"] or "node"
    return f"{host}:{one['port']}"


def main(file, more="[]"):
    wish = json.loads(Path(file).read_text())
    control, canary = wish["control"], wish["canary"]
    walls = [canary, *wish["walls"], *here(wish), *json.loads(more)]
    with ThreadPoolExecutor(max_workers=64) as pool:
        alive = list(pool.map(reached, [control, *wish["alive"]]))
        told = list(pool.map(stopped, walls))
        # What died meanwhile would pass for a wall.
        alive[0] = reached(control) if alive[0][0] == OPEN else alive[0]
    rows = [
        ("reached" if way[0] == OPEN else "missing", one["what"], place(one), way[1])
        for one, way in zip([control, *wish["alive"]], alive, strict=True)
    ]
    missing = [row for row in rows if row[0] == "missing"]
    rows += [(way[0], one["what"], place(one), way[1]) for one, way in zip(walls, told, strict=True)]
    rows += secrets(wish)
    for row in rows:
        print("\t".join(row), flush=True)
    code, words = judged(wish["who"], rows, missing, told[0][0])
    print(words, flush=True)
    return code


def judged(who, rows, missing, canary):
    """(exit code, the last line)."""
    opened = [f"{what} ({where})" for state, what, where, _ in rows if state == OPEN]
    tried = [row for row in rows if row[0] in (OPEN, STOPPED)]
    if canary == OPEN:
        return NOT_ENFORCED, (
            f"the cluster's network plugin enforces no NetworkPolicy: {who} reaches {len(opened)} of"
            f" {len(tried)} things that policies forbid, and so all other tenants. Install a plugin that does,"
            " such as Calico or Cilium"
        )
    if opened:
        told = ", ".join(opened[:3]) + (f" and {len(opened) - 3} more" if len(opened) > 3 else "")
        return WALLS_OPEN, f"{who} reaches what it must not: {told}"
    if missing:
        _, what, where, how = missing[0]
        return NOTHING_TOLD, f"nothing can be told: {who} does not reach {what} ({where}), as it must: {how}"
    if failed := [row for row in rows if row[0] == UNKNOWN]:
        _, what, where, how = failed[0]
        return NOTHING_TOLD, f"nothing can be told: {who} could not try {what} ({where}): {how}"
    return HOLDS, f"{who}: {len(tried)} attempts, all stopped"


def listen(*ports):
    """For ever."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    with selectors.DefaultSelector() as waiting:
        for port in ports:
            server = socket.create_server(("", int(port)), family=family, dualstack_ipv6=dual)
            waiting.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                try:
                    key.fileobj.accept()[0].close()
                except OSError:
                    continue


if __name__ == "__main__":
    sys.exit({"listen": listen, "try": main}[sys.argv[1]](*sys.argv[2:]))
