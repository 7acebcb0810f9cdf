"""What every job of a person has of the data lake, in the person's own Secret at a real API server.

With the rights that REANA's account has, and beside what the person keeps there by REANA's own library's form.
"""

from __future__ import annotations

import base64
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dev.cluster import Cluster
from tests.cluster.test_workflow_rights import of_reana
from tests.cluster.workflows import ApiServer
from tests.reana.models import FILES

TENANT = "stores"
SPACE = f"{TENANT}-workflows"
ALICE = "reana-secretsstore-alice-id"
Keep = Callable[[str, str], None]


@pytest.fixture(scope="module")
def ask(cluster: Cluster) -> Iterator[ApiServer]:
    server = ApiServer(cluster)
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (TENANT, SPACE)]
    listed = {"apiVersion": "v1", "kind": "List", "items": [*spaces, *of_reana(TENANT)]}
    done = server("apply", "-f", "-", stdin=listed)
    assert done.returncode == 0, done.stderr
    yield server
    server("delete", "namespace", TENANT, SPACE, "--wait=false")


@pytest.fixture
def keep(ask: ApiServer, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """As people.py does it, with the account of its pod."""
    token = ask("create", "token", "reana-infrastructure", "-n", SPACE)
    assert token.returncode == 0, token.stderr
    (own,) = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    account, lake = tmp_path / "account", tmp_path / "lake"
    account.mkdir()
    lake.mkdir()
    (account / "token").write_text(token.stdout)
    (account / "ca.crt").write_bytes(base64.b64decode(own["cluster"]["certificate-authority-data"]))
    (lake / "rucio.cfg").write_text("[client]\n")
    (lake / "..data").mkdir()
    (tmp_path / "key").write_text("the-key")
    address = urlsplit(own["cluster"]["server"])
    for name, value in {
        "VRE_ACCOUNT": str(account),
        "VRE_LAKE": str(lake),
        "REANA_RUNTIME_KUBERNETES_NAMESPACE": SPACE,
        "KUBERNETES_SERVICE_HOST": str(address.hostname),
        "KUBERNETES_SERVICE_PORT": str(address.port),
    }.items():
        monkeypatch.setenv(name, value)
    kept = runpy.run_path(str(FILES / "stores.py"))["kept"]
    return lambda identity, name: kept(identity, name, tmp_path / "key")


@pytest.fixture(autouse=True)
def empty(ask: ApiServer) -> None:
    ask("delete", "secret", ALICE, "-n", SPACE, "--ignore-not-found")


def read(ask: ApiServer) -> tuple[dict[str, str], dict[str, str], str]:
    """What is in there, of what types, and its version."""
    found = json.loads(ask("get", "secret", ALICE, "-n", SPACE, "-o", "json").stdout)
    data = {name: base64.b64decode(value).decode() for name, value in found["data"].items()}
    types = json.loads(found["metadata"]["annotations"]["secrets_types"])
    return data, types, found["metadata"]["resourceVersion"]


def test_who_has_none_gets_one_and_then_nothing_is_written(ask: ApiServer, keep: Keep) -> None:
    keep("alice-id", "alice")
    data, types, version = read(ask)
    assert data["rucio.cfg"] == "[client]\n"
    assert data["vre-person"].startswith("alice.")
    assert types == {"rucio.cfg": "file", "vre-person": "file"}
    keep("alice-id", "alice")
    assert read(ask)[2] == version


def test_what_the_person_keeps_there_stays(ask: ApiServer, keep: Keep) -> None:
    own: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": ALICE,
            "namespace": SPACE,
            "annotations": {"secrets_types": json.dumps({"PASSWORD": "env", "rucio.cfg": "env"})},
        },
        "stringData": {"PASSWORD": "hers", "rucio.cfg": "old"},
    }
    assert ask("apply", "-f", "-", stdin=own).returncode == 0
    keep("alice-id", "alice")
    data, types, _ = read(ask)
    assert (data["PASSWORD"], types["PASSWORD"]) == ("hers", "env")
    assert (data["rucio.cfg"], types["rucio.cfg"]) == ("[client]\n", "file")


def test_of_reana_s_own_empty_one(ask: ApiServer, keep: Keep) -> None:
    empty = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": ALICE, "namespace": SPACE, "annotations": {"secrets_types": "{}"}},
    }
    assert ask("apply", "-f", "-", stdin=empty).returncode == 0
    keep("alice-id", "alice")
    assert set(read(ask)[0]) == {"rucio.cfg", "vre-person"}


def test_nothing_where_jobs_have_no_lake(ask: ApiServer, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VRE_LAKE")
    keep("alice-id", "alice")
    assert ask("get", "secret", ALICE, "-n", SPACE).returncode == 1
