"""What is refused before REANA's controller, and before its server."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

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

    answer = gate["gated"](application, refused)(environ, lambda status, _: told.append(status))
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
SERIAL = {"type": "serial", "specification": {"steps": [SLURM, {"commands": ["ls"]}]}}
CWL = {"type": "cwl", "specification": {"$graph": [{"hints": [{"class": "reana", **SLURM}]}]}}
YADAGE = {"type": "yadage", "specification": {"stages": [{"resources": [SLURM]}]}}


@pytest.mark.parametrize("specification", [SERIAL, CWL, YADAGE], ids=["serial", "cwl", "yadage"])
@pytest.mark.parametrize(
    ("declared", "states", "brought", "says"),
    [
        ([], {}, (), "there are kubernetes. Whoever runs this VRE can declare it: spec.workflows.backends"),
        (["compute4punch"], {"compute4punch": ""}, (), "there are kubernetes, compute4punch"),
        (["slurmcern"], {}, ("CERN_USER", "CERN_KEYTAB"), "is looked at every few minutes"),
        (["slurmcern"], {"slurmcern": "a:22 is no ssh"}, (), "work now: a:22 is no ssh. Run the step on"),
        (["slurmcern"], {"slurmcern": ""}, (), "your own CERN_USER and CERN_KEYTAB: bring them with"),
        (["slurmcern"], {"slurmcern": ""}, ("CERN_USER",), "your own CERN_KEYTAB:"),
        (["slurmcern"], {"slurmcern": ""}, ("CERN_USER", "CERN_KEYTAB"), ""),
    ],
)
def test_a_backend_that_cannot_work_is_refused_with_the_remedy(
    specification: Any, declared: list[str], states: Any, brought: tuple[str, ...], says: str
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
