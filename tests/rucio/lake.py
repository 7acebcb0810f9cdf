"""A tenant's Rucio without a cluster: the rendered files, the real program, a real PostgreSQL."""

from __future__ import annotations

import os
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.oidc.tls import write_certificates
from dev.ports import free_port
from tests import software
from tests.postgres.server import Server, running
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components import rucio
from vre_operator.components.rucio import fts
from vre_operator.components.rucio import server as server_files
from vre_operator.components.rucio.config import DIRECTORY

# Everything that URLs, INI files and shells find special.
ODD = "p%25@s:s/w'o\"r?d#[$x] %(y)s"
ROOT_PASSWORD = "100%-of %(root)s's"


@dataclass(frozen=True)
class Lake:
    directory: Path
    bin: Path
    files: Path
    scripts: Path
    policy: dict[str, str]
    """What the server alone has in its environment."""

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.bin / "python"), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=100
        )

    def make_schema(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python(str(self.scripts / "schema.py"), *arguments)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"RUCIO_CONFIG": str(self.files / "rucio.cfg")}


def new_lake(server: Server, directory: Path, name: str, wish: Mapping[str, Any] = QUICKSTART) -> Lake:
    """An empty database of an oddly named role, and the files that lead there.

    Its x509 proxy, where `wish` has one, is proxy.pem in `directory`."""
    role = f"rucio {name} 5%"
    literal = ODD.replace("'", "''")
    server.sql(f"""CREATE ROLE "{role}" LOGIN PASSWORD '{literal}'""")
    server.sql(f'CREATE DATABASE {name} OWNER "{role}"')
    by_name = {resource.id.name: resource for resource in rucio.render(environment(dict(wish)))}
    credentials = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "username": role,
        "database": name,
        "password": ODD,
    }
    values = {f"database-rucio/{key}": value for key, value in credentials.items()}
    moved = {DIRECTORY: str(directory / name), fts.PROXY_FILE: str(directory / "proxy.pem")}
    config = software.content(by_name["rucio-config"], values | {"rucio-root/password": ROOT_PASSWORD})
    files = directory / name
    for old, new in moved.items():
        config = {key: text.replace(old, new) for key, text in config.items()}
    software.write(files, config)
    scripts = software.write(directory / "scripts", software.content(by_name["rucio-scripts"], {}))
    package = directory / "policy" / server_files.PERMISSIONS_ENVIRONMENT["RUCIO_POLICY_PACKAGE"]
    software.write(package, software.content(by_name[server_files.PERMISSIONS], {}))
    policy = server_files.PERMISSIONS_ENVIRONMENT | {"PYTHONPATH": str(package.parent)}
    return Lake(directory, software.environment("rucio"), files, scripts, policy)


@dataclass(frozen=True)
class AtWork:
    """A Rucio that serves. directory: the lake's, for logs and files."""

    lake: Lake
    database: Server
    url: str

    @property
    def directory(self) -> Path:
        return self.lake.directory

    def daemon(self, name: str, *command: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """One of its daemons, as long as the block goes on. Its log is NAME.log."""
        program, *arguments = command
        return software.process(
            [str(self.lake.bin / program), *arguments],
            self.directory / f"{name}.log",
            env=self.lake.environment | {"HOME": str(self.directory)},
        )


@contextmanager
def at_work(name: str, *, tls: bool = False, wish: Mapping[str, Any] = QUICKSTART) -> Iterator[AtWork]:
    """A PostgreSQL, a lake of that name with its schema, and its server.

    tls: with the directory's tls.crt, whose authority is in its ca.crt."""
    # Not pytest's own directory: its parents are closed to the user postgres.
    with tempfile.TemporaryDirectory(prefix="vre-rucio-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        home = directory / "postgres"
        home.mkdir()
        if tls:
            (directory / "ca.crt").write_text(write_certificates(directory))
        with running(home) as database:
            lake = new_lake(database, directory, name, wish)
            assert lake.make_schema().returncode == 0
            with serving(lake, directory if tls else None) as url:
                yield AtWork(lake, database, url)


def login(server: str, username: str, password: str) -> int:
    """The HTTP status of a login to the root account."""
    headers = {"X-Rucio-Account": "root", "X-Rucio-Username": username, "X-Rucio-Password": password}
    request = urllib.request.Request(f"{server}/auth/userpass", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def serving(lake: Lake, certificates: Path | None = None) -> Iterator[str]:
    """Rucio's REST API as the image serves it; its URL. The log is server.log in the lake's directory.

    certificates: the folder with tls.crt and tls.key, for https.
    """
    address = f"127.0.0.1:{free_port()}"
    # Connections are kept as the image's web server keeps them.
    command = [str(lake.bin / "gunicorn"), f"--bind={address}", "--workers=2", "--threads=4", "--keep-alive=5"]
    if certificates:
        command += [f"--certfile={certificates / 'tls.crt'}", f"--keyfile={certificates / 'tls.key'}"]
    environment = lake.environment | lake.policy | {"HOME": str(lake.directory)}
    log = lake.directory / "server.log"
    with software.process([*command, "rucio.web.rest.main:application"], log, env=environment):
        url = f"{'https' if certificates else 'http'}://{address}"
        wait_until(lambda: pinged(url))
        yield url


def pinged(address: str) -> bool:
    try:
        unchecked = ssl._create_unverified_context()  # noqa: S323 only whether somebody is there
        with urllib.request.urlopen(f"{address}/ping", timeout=30, context=unchecked) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until(true: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "too late"
        time.sleep(0.5)
