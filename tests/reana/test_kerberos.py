"""The rendered krb5.conf, and the containers that REANA's own code makes, with a real MIT Kerberos KDC."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.ports import free_port
from dev.system import SEARCH_PATH, MissingError
from tests import software
from tests.cluster import kerberos as known
from tests.reana import kdc as kdcs
from tests.reana.kdc import ABROAD, HOME, USER, Kdc
from tests.reana.models import GENERATIONS
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components.reana.kerberos import files

# The first on a machine installs the KDC, and REANA's libraries of both generations.
pytestmark = pytest.mark.timeout(900)

HOST, SILENT = "kdc.example.org", "silent.example.org"
REALMS = [
    {"name": HOME, "kdcs": [SILENT, HOST], "domains": ["example.org"]},
    {"name": ABROAD, "kdcs": [HOST], "domains": ["example.net"]},
]
# What is of the cluster stands beside: nothing of it is asked for what these containers are.
MADE = """
import json, sys
from types import SimpleNamespace
from unittest import mock
for name in ("kubernetes", "kubernetes.client", "kubernetes.client.rest"):
    sys.modules[name] = mock.MagicMock()
from reana_commons.k8s.kerberos import get_kerberos_k8s_config
store, values = json.loads(sys.argv[1])
secrets = SimpleNamespace(
    get_secrets_volume_mount_as_k8s_spec=lambda: {
        "name": store, "mountPath": "/etc/reana/secrets", "readOnly": True
    },
    get_secret=lambda name: SimpleNamespace(value_str=values[name]),
    get_secret_value=values.__getitem__,
)
print(json.dumps(get_kerberos_k8s_config(secrets, kubernetes_uid=1000)._asdict()))
"""


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    try:
        with kdcs.running(tmp_path_factory.mktemp("kdc")) as made:
            yield made
    except MissingError as error:
        pytest.skip(f"no KDC: {error}")


@dataclass
class Step:
    """What is in a step's containers, with what is mounted there in a directory of the test."""

    directory: Path
    generation: str = GENERATIONS[-1]
    user: str = USER
    image: str = "example.org/kerberos:1"

    @property
    def made(self) -> dict[str, Any]:
        """By REANA."""
        python = software.environment(f"reana-db-{self.generation}") / "python"
        brought = {"CERN_USER": self.user, "CERN_KEYTAB": "my.keytab"}
        done = subprocess.run(
            [python, "-c", MADE, json.dumps([known.STORE, brought])],
            env={"PATH": "/usr/bin:/bin", "KRB5_CONTAINER_IMAGE": self.image},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def mount(self, kdc: Kdc | None, **workflows: Any) -> None:
        """krb5.conf as rendered, but for where the KDC listens here."""
        wished = {"enabled": True, "hostname": "reana.ocean.example.org"} | workflows
        text = files(environment(QUICKSTART | {"workflows": wished}))["krb5.conf"]
        if kdc:
            (self.directory / "my.keytab").write_bytes(kdc.keytab.read_bytes())
            for host, port in ((HOST, kdc.port), (SILENT, free_port())):
                assert f" {host}:88\n" in text
                text = text.replace(f" {host}:88\n", f" 127.0.0.1:{port}\n")
        (self.directory / "krb5.conf").write_text(text)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        (cache,) = self.made["env"]
        return subprocess.run(
            [word.replace("/etc/reana/secrets", str(self.directory)) for word in command],
            env={
                "PATH": SEARCH_PATH,
                "KRB5_CONFIG": str(self.directory / "krb5.conf"),
                cache["name"]: cache["value"].replace("/krb5_cache", str(self.directory)),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ticket(self) -> subprocess.CompletedProcess[str]:
        """As before a step."""
        return self.run(*self.made["init_container"]["command"])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_containers_are_those_that_the_chart_s_policy_was_tried_with(
    generation: str, tmp_path: Path
) -> None:
    made = Step(tmp_path, generation).made
    for name in ("init_container", "renew_container"):
        made[name].pop("args", None)
    assert made == known.made(generation)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_step_has_a_ticket_and_keeps_it(kdc: Kdc, generation: str, tmp_path: Path) -> None:
    """By the second of two KDCs, where the first is silent."""
    step = Step(tmp_path, generation)
    step.mount(kdc, kerberos={"realms": REALMS})
    done = step.ticket()
    assert done.returncode == 0, done.stderr
    listed = step.run("klist", "-f").stdout
    assert f"Default principal: {USER}@{HOME}" in listed
    assert "renew until" in listed
    renewed = step.run("kinit", "-R")
    assert renewed.returncode == 0, renewed.stderr


def test_a_service_of_another_realm_is_reached_by_its_domain(kdc: Kdc, tmp_path: Path) -> None:
    step = Step(tmp_path)
    step.mount(kdc, kerberos={"realms": REALMS})
    assert step.ticket().returncode == 0
    done = step.run("kvno", "-S", "host", "data.example.net")
    assert done.returncode == 0, done.stderr
    assert f"{kdcs.SERVICE}@{ABROAD}" in step.run("klist").stdout


@pytest.mark.parametrize(
    ("user", "says"),
    [("mallory", "Keytab contains no suitable keys for mallory@"), ("alice@EXAMPLE.ORG", "Malformed")],
)
def test_who_has_no_such_key_is_told(kdc: Kdc, user: str, says: str, tmp_path: Path) -> None:
    step = Step(tmp_path, user=user)
    step.mount(kdc, kerberos={"realms": REALMS})
    done = step.ticket()
    assert done.returncode != 0
    assert says in done.stderr


def test_a_step_that_slips_by_ends_at_once_with_words(kdc: Kdc, tmp_path: Path) -> None:
    """Without Kerberos no KDC is asked, not those that DNS would tell either."""
    step = Step(tmp_path)
    step.mount(None)
    (tmp_path / "my.keytab").write_bytes(kdc.keytab.read_bytes())
    begun = time.monotonic()
    done = step.ticket()
    assert time.monotonic() - begun < 10
    assert done.returncode != 0
    assert f'Cannot find KDC for realm "{HOME}"' in done.stderr
