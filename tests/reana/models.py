"""REANA's own models of each generation, a real PostgreSQL, and the operator's programs between them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from dev.ports import free_port
from tests import software
from tests.postgres.server import Server

GENERATIONS = ("0.9", "0.95")
FILES = Path(__file__).parents[2] / "vre_operator/components/reana/files"
PASSWORD = "only-letters"
ADMINISTRATOR = "a" * 48
CREDENTIALS = {"operator": "operators-own", "hub": "hubs-own", "probe": "probes-own", "jobs": "jobs-own"}


@dataclass
class Reana:
    """A database of its own on `postgres`, and what a pod of REANA knows of it."""

    generation: str
    postgres: Server
    database: str
    changed: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "REANA_DB_HOST": "127.0.0.1",
            "REANA_DB_PORT": str(self.postgres.port),
            "REANA_DB_NAME": self.database,
            "REANA_DB_USERNAME": self.database,
            "REANA_DB_PASSWORD": PASSWORD,
            "REANA_SECRET_KEY": "the-key",
            "REANA_ADMIN_ACCESS_TOKEN": ADMINISTRATOR,
            "REANA_DEFAULT_QUOTA_DISK_LIMIT": "1000",
        } | self.changed

    @property
    def python(self) -> Path:
        return software.environment(f"reana-db-{self.generation}") / "python"

    def create(self) -> None:
        self.postgres.sql(f"CREATE ROLE {self.database} LOGIN PASSWORD '{PASSWORD}'")
        self.postgres.sql(f"CREATE DATABASE {self.database} OWNER {self.database}")

    def sql(self, statement: str) -> str:
        return self.postgres.sql(statement, database=self.database)

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.python), "-u", str(FILES / program), *arguments]

    def prepare(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """One run of the Job's program."""
        return subprocess.run(
            self.command("database.py", *arguments),
            env=self.environment | changed,
            capture_output=True,
            text=True,
            check=False,
        )

    def prepared(self, *arguments: str, **changed: str) -> str:
        """What a run says that ends well."""
        done = self.prepare(*arguments, **changed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, program: str) -> Any:
        """What a few lines of Python print as JSON that import REANA's models."""
        done = subprocess.run(
            [str(self.python), "-c", program], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass
class People:
    """A client of people.py."""

    url: str
    credential: str

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        shown = {"Authorization": f"Bearer {self.credential}"}
        return requests.request(method, self.url + path, json=body, headers=shown, timeout=60)


@contextmanager
def people(reana: Reana, directory: Path) -> Iterator[tuple[People, People]]:
    """The program as it runs beside the server: as the operator sees it, and as the hub does."""
    port = free_port()
    credentials = software.write(directory / "credentials", CREDENTIALS)
    command = reana.command("people.py", str(port), str(credentials))
    with software.process(command, directory / "people.log", env=reana.environment) as running:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert running.poll() is None, (directory / "people.log").read_text()
            try:
                requests.get(url, timeout=5)
                break
            except requests.ConnectionError:
                subprocess.run(["sleep", "0.1"], check=True)
        yield People(url, CREDENTIALS["operator"]), People(url, CREDENTIALS["hub"])
