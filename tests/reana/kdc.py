"""A real MIT Kerberos KDC on loopback, for two realms that trust each other one way."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev import system
from dev.ports import free_port
from tests import software

HOME, ABROAD = "CERN.CH", "EXAMPLE.ORG"
USER, SERVICE = "alice", "host/data.example.net"
_TRUST = f"krbtgt/{ABROAD}@{HOME}"
_REALM = """
    {realm} = {{
        database_name = {directory}/{realm}.db
        key_stash_file = {directory}/{realm}.stash
        max_life = 1d
        max_renewable_life = 7d
    }}
"""


@dataclass(frozen=True)
class Kdc:
    """Of both realms; `keytab` is that of USER at HOME."""

    port: int
    directory: Path

    @property
    def keytab(self) -> Path:
        return self.directory / "my.keytab"

    @property
    def environment(self) -> dict[str, str]:
        """Of the programs that make and serve the realms."""
        return {
            "PATH": system.SEARCH_PATH,
            "KRB5_CONFIG": str(self.directory / "admin.conf"),
            "KRB5_KDC_PROFILE": str(self.directory / "kdc.conf"),
        }

    def administer(self, realm: str, *command: str) -> None:
        self._run("kadmin.local", "-r", realm, *command)

    def make(self) -> None:
        """The realms, a person with a keytab in one, a service in the other, and a key that they share."""
        realms = "".join(_REALM.format(realm=realm, directory=self.directory) for realm in (HOME, ABROAD))
        listen = f"    kdc_listen = 127.0.0.1:{self.port}\n    kdc_tcp_listen = 127.0.0.1:{self.port}\n"
        (self.directory / "kdc.conf").write_text(f"[kdcdefaults]\n{listen}\n[realms]\n{realms}")
        (self.directory / "admin.conf").write_text(f"[libdefaults]\n    default_realm = {HOME}\n")
        for realm in (HOME, ABROAD):
            self._run("kdb5_util", "-r", realm, "-P", "of-a-test", "create", "-s")
            self.administer(realm, "addprinc", "-pw", "the-same-in-both", f"{_TRUST}")
        self.administer(HOME, "addprinc", "-randkey", f"{USER}@{HOME}")
        self.administer(HOME, "ktadd", "-k", str(self.keytab), f"{USER}@{HOME}")
        self.administer(ABROAD, "addprinc", "-randkey", f"{SERVICE}@{ABROAD}")

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(directory: Path) -> Iterator[Kdc]:
    """Raises dev.system.MissingError where the programs cannot be had."""
    system.ensure("krb5kdc", "kadmin.local", "kinit")
    kdc = Kdc(free_port(), directory)
    kdc.make()
    log = directory / "kdc.log"
    command = ["krb5kdc", "-n", "-r", HOME, "-r", ABROAD, "-P", str(directory / "kdc.pid")]
    with software.process(command, log, env=kdc.environment) as process:
        until = time.monotonic() + 30
        while not _answers(kdc.port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield kdc
