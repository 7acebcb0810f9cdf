# mypy: ignore-errors
"""Whether batch systems outside the cluster could take a job now.

    backends.py FILE NAME=HOST:PORT ...

Runs in the job controller's image (Python 3.8 and later), which is what submits: its libraries and programs
are what counts. HOST is empty where the image knows it itself. FILE gets {name: why not, "" for works} for
gate.py, whole or not at all. Ends with what does not work.
"""

import json
import shutil
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

TIMEOUT = 10
CONDOR_PORT = 9618
# By backend: modules, programs.
NEEDED = {
    "slurmcern": (("paramiko", "gssapi"), ("kinit",)),
    "htcondorcern": (("htcondor", "classad"), ("kinit", "condor_config_val")),
    "compute4punch": (("paramiko", "libmytoken", "jwt"), ()),
}


class Broken(Exception):
    """With what does not work, in words."""


def equipped(name):
    modules, programs = NEEDED[name]
    missing = [program for program in programs if shutil.which(program) is None]
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            missing.append(module)
    if missing:
        raise Broken(
            f"the site's image of the job controller lacks {', '.join(missing)}. It has to be one that "
            f"is built with COMPUTE_BACKENDS={name} (site.images.reana, remoteJobController)"
        )


def greeted(host, port):
    """By the ssh of a login node."""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            said = connection.recv(256)
    except OSError as error:
        raise Broken(f"{host}:{port} is not to be reached ({error.strerror or type(error).__name__})") from None
    if not said.startswith(b"SSH-"):
        raise Broken(f"{host}:{port} is no ssh")


def pooled():
    """By the pool that the image is made for."""
    done = subprocess.run(["condor_config_val", "CONDOR_HOST"], check=False, capture_output=True, text=True)
    host = done.stdout.split(",")[0].strip()
    if done.returncode or not host:
        raise Broken("the site's image of the job controller names no pool (CONDOR_HOST)")
    try:
        socket.create_connection((host, CONDOR_PORT), timeout=TIMEOUT).close()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Broken(f"the pool's {host}:{CONDOR_PORT} is not to be reached ({why})") from None


def looked(name, host, port):
    """Why it does not work, "" where it does."""
    try:
        equipped(name)
        if host:
            greeted(host, int(port))
        else:
            pooled()
    except Broken as broken:
        return str(broken)
    return ""


def main(file, wanted):
    states = {}
    for one in wanted:
        name, _, place = one.partition("=")
        host, _, port = place.rpartition(":")
        states[name] = looked(name, host, port)
    part = Path(f"{file}.part")
    part.write_text(json.dumps(states))
    part.replace(file)
    return "; ".join(f"{name}: {why}" for name, why in states.items() if why)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]) or 0)
