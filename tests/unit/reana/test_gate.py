"""What is refused before REANA's controller, and before its server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections import namedtuple
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import ApiException, V1ObjectMeta, V1Secret

from tests.unit.reana.programs import program


def ask(method: str, path: str, body: bytes, allowed: str = "serial") -> tuple[str, bytes]:
    """What the controller's application answers, or the gate before it."""
    gate = program("gate.py")
    told: list[str] = []

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [environ["wsgi.input"].read()]

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "user=some-person&x=1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }

    def refused(workflow: Any, person: str) -> str:
        assert person == "some-person"
        return str(gate["engine_refused"](workflow, allowed.split()))

    answer = gate["gated"](application, refused, lambda *_: pytest.fail("not for this"))(
        environ, lambda status, _: told.append(status)
    )
    return told[0], b"".join(answer)


def workflow(kind: str) -> bytes:
    return json.dumps({"reana_specification": {"workflow": {"type": kind}}}).encode()


def test_an_engine_that_is_on_passes_with_its_body() -> None:
    assert ask("POST", "/api/workflows", workflow("serial")) == ("200 OK", workflow("serial"))


@pytest.mark.parametrize("path", ["/api/workflows", "/api/workflows/"])
@pytest.mark.parametrize("kind", ["cwl", "CWL", "yadage"])
def test_an_engine_that_is_off_is_refused_with_the_remedy(kind: str, path: str) -> None:
    status, answer = ask("POST", path, workflow(kind), "serial snakemake")
    assert status == "400 BAD REQUEST"
    message = json.loads(answer)["message"]
    assert f"type {kind.lower()} are switched off here; there are serial, snakemake" in message
    assert "spec.workflows.engines" in message


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"reana_specification": 1}', b"null", b"\xff"])
def test_what_is_no_workflow_is_the_application_s_matter(body: bytes) -> None:
    assert ask("POST", "/api/workflows", body) == ("200 OK", body)


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/workflows"), ("POST", "/api/workflows/1/start")])
def test_other_requests_pass(method: str, path: str) -> None:
    assert ask(method, path, workflow("cwl")) == ("200 OK", workflow("cwl"))


SLURM = {"compute_backend": "slurmcern"}
BOTH = {"CERN_USER": "alice", "CERN_KEYTAB": "my.keytab", "my.keytab": None}
SERIAL = {"type": "serial", "specification": {"steps": [SLURM, {"commands": ["ls"]}]}}
CWL = {"type": "cwl", "specification": {"$graph": [{"hints": [{"class": "reana", **SLURM}]}]}}
YADAGE = {"type": "yadage", "specification": {"stages": [{"resources": [SLURM]}]}}


@pytest.mark.parametrize("specification", [SERIAL, CWL, YADAGE], ids=["serial", "cwl", "yadage"])
@pytest.mark.parametrize(
    ("declared", "states", "brought", "says"),
    [
        ([], {}, {}, "there are kubernetes. Whoever runs this VRE can declare it: spec.workflows.backends"),
        (["compute4punch"], {"compute4punch": ""}, {}, "there are kubernetes, compute4punch"),
        (["slurmcern"], {}, BOTH, "is looked at every few minutes"),
        (["slurmcern"], {"slurmcern": "a:22 is no ssh"}, {}, "work now: a:22 is no ssh. Run the step on"),
        (["slurmcern"], {"slurmcern": ""}, {}, "your own CERN_USER and CERN_KEYTAB: bring them with"),
        (["slurmcern"], {"slurmcern": ""}, {"CERN_USER": "alice"}, "your own CERN_KEYTAB:"),
        (["slurmcern"], {"slurmcern": ""}, BOTH, ""),
    ],
)
def test_a_backend_that_cannot_work_is_refused_with_the_remedy(
    specification: Any, declared: list[str], states: Any, brought: Any, says: str
) -> None:
    told = program("gate.py")["backend_refused"](specification, declared, states, lambda: brought)
    assert says in told
    assert bool(says) is bool(told)


def test_the_cluster_itself_is_always_there() -> None:
    refused = program("gate.py")["backend_refused"]
    for backend in ({"compute_backend": "kubernetes"}, {}, {"compute_backend": 1}):
        assert refused({"type": "serial", "specification": [backend]}, [], {}, list) == ""


@pytest.mark.parametrize("resources", [{}, {"resources": {}}, {"resources": {"cvmfs": []}}, {"resources": 1}])
def test_cvmfs_is_refused_where_there_is_none(resources: Any) -> None:
    refused = program("gate.py")["cvmfs_refused"]
    wanted = {"type": "serial", "resources": {"cvmfs": ["atlas.cern.ch"]}}
    assert "spec.storage.shares" in refused(wanted, False)
    assert refused(wanted, True) == ""
    assert refused({"type": "serial", **resources}, False) == ""


# --- Kerberos and Dask --------------------------------------------------------------------------------------

STEP = {"kerberos": True}
WANTED = {
    "serial": {"type": "serial", "specification": {"steps": [{"commands": ["ls"]}, STEP]}},
    "a step that says where": {"type": "serial", "specification": [STEP | {"compute_backend": "kubernetes"}]},
    "cwl": {"type": "cwl", "specification": {"$graph": [{"hints": [{"class": "reana", **STEP}]}]}},
    "yadage": {"type": "yadage", "specification": {"stages": [{"environment": {"resources": [STEP]}}]}},
    "all of a workflow": {"type": "snakemake", "resources": STEP},
    "in words": {"type": "cwl", "specification": [{"kerberos": "True"}]},
}


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
@pytest.mark.parametrize(
    ("available", "brought", "says"),
    [
        (False, BOTH, "spec.workflows.kerberos"),
        (True, {}, "kerberos: true needs your own CERN_USER and CERN_KEYTAB: bring them with"),
        (True, BOTH | {"CERN_USER": ""}, "your own CERN_USER: bring"),
        (True, BOTH | {"CERN_USER": "alice@CERN.CH"}, "your own CERN_USER without a realm: bring"),
        (True, BOTH | {"CERN_KEYTAB": "other.keytab"}, "your own file other.keytab, which CERN_KEYTAB names:"),
        (True, BOTH | {"my.keytab": "not a file"}, "file my.keytab"),
        # Brought as a file, where a variable is meant.
        (True, BOTH | {"CERN_KEYTAB": None}, "your own CERN_KEYTAB:"),
        (True, BOTH, ""),
    ],
)
def test_kerberos_that_cannot_work_is_refused_with_the_remedy(
    wanted: Any, available: bool, brought: Any, says: str
) -> None:
    told = program("gate.py")["kerberos_refused"](wanted, available, lambda: brought)
    assert says in told
    assert bool(says) is bool(told)


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"kerberos": False},
        {"kerberos": "false"},
        {"kerberos": None},
        # Who submits has a ticket of its own.
        {"kerberos": True, "compute_backend": "slurmcern"},
        # A workflow's input of this name.
        {"inputs": {"kerberos": {"type": "boolean"}}},
        {"inputs": {"kerberos": "string"}},
    ],
)
def test_who_wants_no_ticket_needs_none(step: Any) -> None:
    def unasked() -> Any:
        pytest.fail("nobody's Secrets are read for it")

    wanted = {"type": "serial", "specification": [step]}
    assert program("gate.py")["kerberos_refused"](wanted, False, unasked) == ""


def test_what_a_person_brought_is_read_as_reana_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = V1Secret(
        metadata=V1ObjectMeta(
            annotations={"secrets_types": json.dumps({"CERN_USER": "env", "my.keytab": "file"})}
        ),
        data={"CERN_USER": b64encode(b"alice").decode(), "my.keytab": b64encode(b"\x05\x02\xff").decode()},
    )

    def read(name: str, namespace: str) -> Any:
        assert namespace == "ocean-workflows"
        if name == "reana-secretsstore-alice":
            return stored
        raise ApiException(status=404 if name == "reana-secretsstore-nobody" else 403)

    beside: dict[str, dict[str, Any]] = {
        "reana_commons": {},
        "reana_commons.config": {"REANA_RUNTIME_KUBERNETES_NAMESPACE": "ocean-workflows"},
        "reana_commons.k8s": {},
        "reana_commons.k8s.api_client": {
            "current_k8s_corev1_api_client": SimpleNamespace(read_namespaced_secret=read)
        },
    }
    for name, content in beside.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    own_secrets = program("gate.py")["own_secrets"]
    assert own_secrets("alice") == {"CERN_USER": "alice", "my.keytab": None}
    assert own_secrets("nobody") == {}
    with pytest.raises(ApiException):
        own_secrets("somebody")


def test_dask_is_refused_with_the_reason() -> None:
    refused = program("gate.py")["dask_refused"]
    told = refused({"type": "serial", "resources": {"dask": {"image": "example.org/dask:1"}}})
    assert "needs the Dask operator" in told
    assert "LocalCluster" in told
    none: list[dict[str, Any]] = [{}, {"resources": {}}, {"resources": {"cvmfs": ["a"]}}, {"resources": 1}]
    assert [refused({"type": "serial", **each}) for each in none] == [""] * 4


def test_all_that_is_refused_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VRE_KERBEROS", "")
    gate = program("gate.py")
    gate["ALLOWED"] = ["serial"]
    gate["own_secrets"] = lambda person: pytest.fail("not for this")
    assert "There is no Kerberos" in gate["any_refused"](WANTED["serial"], "some-person")
    assert "There is no Dask" in gate["any_refused"]({"type": "serial", "resources": {"dask": {"a": 1}}}, "x")
    assert gate["any_refused"]({"type": "serial"}, "some-person") == ""


@pytest.mark.parametrize(
    ("files", "asks"),
    [
        ({"Snakefile": "rule a:\n  resources:\n    kerberos=True\n"}, True),
        ({"Snakefile": "rule a:\n  resources: mem=1, kerberos = 1, x=2\n"}, True),
        ({"Snakefile": "rule a:\n  resources: kerberos=config['k']\n"}, True),
        (
            {
                "Snakefile": "include: 'rules/a.smk'\n",
                "rules/a.smk": 'include: "b.smk"',
                "rules/b.smk": "kerberos=1",
            },
            True,
        ),
        ({"Snakefile": "include: 'Snakefile'\ninclude: 'gone.smk'\n"}, False),
        ({"Snakefile": "rule a:\n  # kerberos=True\n  resources: kerberos=False\n"}, False),
        ({"Snakefile": "if kerberos == 1: pass\nmykerberos=True\nkerberos=0\nx: kerberos='no'\n"}, False),
        ({}, False),
    ],
)
def test_what_a_snakefile_asks_is_seen_when_it_starts(
    files: dict[str, str], asks: bool, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert program("gate.py")["snakefiles_ask"](tmp_path, "Snakefile") is asks


@pytest.mark.attack("compromised workflow engine", "a workspace's files")
@pytest.mark.parametrize("name", ["../outside", "link", "fifo", "large", "."])
def test_a_snakefile_leads_the_controller_nowhere(name: str, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (tmp_path / "outside").write_text("kerberos=True")
    (workspace / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(workspace / "fifo")
    with (workspace / "large").open("w") as large:
        large.write("kerberos=True")
        large.truncate(2 << 20)
    (workspace / "Snakefile").write_text(f"include: '{name}'")
    for begun in ("Snakefile", name):
        assert program("gate.py")["snakefiles_ask"](workspace, begun) is False


def start(refused: Any, method: str = "PUT", query: str = "user=some-person&status=start") -> str:
    told: list[str] = []

    def application(environ: dict[str, Any], begin: Any) -> list[bytes]:
        begin("200 OK", [])
        return []

    def kept(name: str, person: str) -> Any:
        assert (name, person) == ("some-id", "some-person")
        return WANTED["serial"]

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/api/workflows/some-id/status",
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(b"{}"),
    }
    program("gate.py")["gated"](application, refused, kept)(environ, lambda status, _: told.append(status))
    return told[0]


def test_a_workflow_is_asked_once_more_when_it_starts() -> None:
    """The server makes one anew from another without the controller, which fails what is a bad request."""

    def refused(workflow: Any, person: str) -> str:
        assert (workflow, person) == (WANTED["serial"], "some-person")
        return "no"

    assert start(refused) == "400 BAD REQUEST"
    assert start(lambda *_: "") == "200 OK"
    assert start(refused, query="user=some-person&status=stop") == "200 OK"
    assert start(refused, method="GET") == "200 OK"


def test_an_engine_without_its_ticket_starts_and_says_why(tmp_path: Path) -> None:
    """Its first step does, in a log that people see; an engine that never starts says nothing."""
    made = namedtuple("made", ["init_container", "renew_container"])
    ticket = {"name": "krb5-init", "command": ["kinit", "-kt", "/a file", "alice@CERN.CH"]}
    kinit = tmp_path / "kinit"
    kinit.write_text('#!/bin/sh\necho "$@"\nexit 1\n')
    kinit.chmod(0o755)

    config = program("gate.py")["started_anyway"](lambda *a, **n: made(ticket, (a, n)))(
        "secrets", kubernetes_uid=1
    )
    assert config.renew_container == (("secrets",), {"kubernetes_uid": 1})
    assert config.init_container["name"] == "krb5-init"
    done = subprocess.run(
        config.init_container["command"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "-kt /a file alice@CERN.CH\n"


# --- who logs in to its pages -------------------------------------------------------------------------------

TOLD = {"email": "alice@example.org", "email_verified": True, "realm": {"groups": ["/deep", "/wide"]}}


@pytest.mark.parametrize(
    ("told", "groups", "why"),
    [
        (TOLD, ["/deep"], ""),
        (TOLD, None, ""),
        (TOLD | {"email_verified": False}, None, "not verified"),
        (TOLD | {"email_verified": "true"}, None, "not verified"),
        ({"email": "alice@example.org"}, None, "not verified"),
        (TOLD, ["/other"], "none of the person's groups"),
        (TOLD | {"realm": {}}, ["/deep"], "none of the person's groups"),
        (TOLD | {"realm": "/deep"}, ["/deep"], "none of the person's groups"),
        (TOLD | {"realm": {"groups": "/deep"}}, ["/deep"], "none of the person's groups"),
    ],
)
@pytest.mark.parametrize("where", ["token", "endpoint"])
def test_who_may_log_in_to_reana_s_pages(told: Any, groups: Any, why: str, where: str) -> None:
    door = program("door.py")

    class Unauthorized(Exception):
        pass

    def asked(remote: str, answer: str, from_token_only: bool = False) -> Any:
        assert (remote, answer) == ("remote", "answer")
        return (told, None) if where == "token" else ({"sub": "1"}, told)

    asks = door["admitted"](asked, {"claim": "realm.groups", "groups": groups}, Unauthorized)
    if why:
        with pytest.raises(Unauthorized, match=why):
            asks("remote", "answer")
    else:
        assert asks("remote", "answer") == asked("remote", "answer")
