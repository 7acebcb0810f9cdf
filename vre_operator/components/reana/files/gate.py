# mypy: ignore-errors
"""The controller's application, without what cannot work here: REANA has no switches of its own.

uwsgi's `module = gate:application`. Each way to make a workflow (clients, the launcher, GitLab) ends here, so
it is refused before anything of it exists; and once more when it starts, as a workflow that is made anew from
another (a restart) is the server's matter, and what a Snakefile says is known only then. VRE_ENGINES: the types
that are allowed, as specifications write them. VRE_BACKENDS: the batch systems that are declared. VRE_STATES:
the file in which backends.py tells how each of them does. VRE_CVMFS, VRE_KERBEROS: whether jobs can have it.
"""

import base64
import io
import json
import os
import re
from pathlib import Path
from urllib.parse import parse_qs

ALLOWED = os.environ.get("VRE_ENGINES", "").split()
DECLARED = os.environ.get("VRE_BACKENDS", "").split()
CVMFS = bool(os.environ.get("VRE_CVMFS"))
TICKETS = bool(os.environ.get("VRE_KERBEROS"))
LARGEST = 64 << 20
STATUS = re.compile("/api/workflows/([^/]+)/status/?")
INCLUDE = re.compile(r"""^[ \t]*include:\s*["']([^"'\n]+)["']""", re.M)
ASKS = re.compile(
    r"""^[^#\n]*\bkerberos[ \t]*=[ \t]*(?![=\s]|False\b|None\b|0\b|["'](?i:false|no|0)["'])""", re.M
)
LARGEST_SNAKEFILE, MOST_SNAKEFILES = 1 << 20, 100
OWN = "kubernetes"
KERBEROS = ("CERN_USER", "CERN_KEYTAB")
# What REANA's job controller takes for yes (marshmallow's Boolean).
YES = ("true", "t", "yes", "y", "on", "1")
BROUGHT = {"slurmcern": KERBEROS, "htcondorcern": KERBEROS, "compute4punch": ("HELMHOLTZ_TOP",)}


def wanted(environ):
    """The workflow that is to be made; None where none is."""
    if environ.get("REQUEST_METHOD") != "POST" or environ.get("PATH_INFO", "").rstrip("/") != "/api/workflows":
        return None
    body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        workflow = json.loads(body)["reana_specification"]["workflow"]
        return workflow if isinstance(workflow.get("type"), str) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, the application says what is wrong with it


def starting(environ):
    """(Its id or name, its person's id) of the workflow that is to start; None where none is."""
    path = STATUS.fullmatch(environ.get("PATH_INFO", ""))
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if environ.get("REQUEST_METHOD") != "PUT" or not path or query.get("status") != ["start"]:
        return None
    return path[1], query.get("user", [""])[0]


def snakefiles_ask(workspace, name):
    """Whether a rule says kerberos, in this file or in those that it includes. Only while it runs is it known
    for certain; but whoever writes it with another value than no means it."""
    workspace = Path(workspace).resolve()
    waiting, seen = [workspace / name], set()
    while waiting and len(seen) < MOST_SNAKEFILES:
        file = waiting.pop().resolve()
        # A link of the person's may lead anywhere, and what is no file may never end.
        if file in seen or workspace not in file.parents or not file.is_file():
            continue
        seen.add(file)
        if file.stat().st_size > LARGEST_SNAKEFILE:
            continue
        text = file.read_text(errors="replace")
        if ASKS.search(text):
            return True
        waiting += [file.parent / other for other in INCLUDE.findall(text)]
    return False


def engine_refused(workflow, allowed):
    """Why not, "" for nothing."""
    kind = workflow["type"].lower()
    if kind in allowed:
        return ""
    return (
        f"Workflows of type {kind} are switched off here; there are {', '.join(sorted(allowed))}. "
        "Whoever runs this VRE can switch them on: spec.workflows.engines."
    )


def backends(part):
    """All that are named anywhere: each engine has another place for them."""
    found = set()
    if isinstance(part, dict):
        found = {part["compute_backend"]} if isinstance(part.get("compute_backend"), str) else set()
        part = part.values()
    elif not isinstance(part, list):
        return found
    return found.union(*map(backends, part))


def backend_refused(workflow, declared, states, brought):
    """states: by backend, why it does not work, "" for one that does. brought: gives the person's own Secrets,
    as `own_secrets` has them."""
    for backend in sorted(backends(workflow) - {OWN}):
        if backend not in declared:
            return (
                f"There is no backend {backend} here; there are {', '.join([OWN, *declared])}. "
                "Whoever runs this VRE can declare it: spec.workflows.backends."
            )
        if backend not in states:
            return f"{backend} is not known to work yet: it is looked at every few minutes. Try again then."
        if states[backend]:
            why = states[backend]
            return f"{backend} does not work now: {why}. Run the step on kubernetes, or try again later."
        needed = BROUGHT.get(backend, ())
        if missing := lacking(backend, needed, brought() if needed else {}):
            return missing
    return ""


def lacking(what, needed, secrets):
    """Why what a person has brought is not enough, "" where it is."""
    missing = [name for name in needed if not secrets.get(name)]
    keytab = secrets.get("CERN_KEYTAB")
    if "CERN_KEYTAB" in needed and keytab and secrets.get(keytab, "") is not None:
        missing.append(f"file {keytab}, which CERN_KEYTAB names")
    if "@" in (secrets.get("CERN_USER") or "") and "CERN_USER" in needed:
        missing.append("CERN_USER without a realm")
    if not missing:
        return ""
    return (
        f"{what} needs your own {' and '.join(missing)}: bring them with reana-client secrets-add, "
        "and make the workflow again."
    )


def tickets(part):
    """Whether any step in this cluster wants one: each engine has another place for it."""
    if isinstance(part, list):
        return any(map(tickets, part))
    if not isinstance(part, dict):
        return False
    # On another backend it means nothing: who submits has a ticket in any case.
    here = part.get("compute_backend") in (None, "", OWN)
    return (here and str(part.get("kerberos")).lower() in YES) or any(map(tickets, part.values()))


def kerberos_refused(workflow, available, brought):
    """Its step would end before it began."""
    if not tickets(workflow):
        return ""
    if not available:
        return (
            "There is no Kerberos here, and a step says kerberos: true. Take it out, or ask whoever runs this "
            "VRE, who can have it: spec.workflows.kerberos."
        )
    return lacking("kerberos: true", KERBEROS, brought())


def dask_refused(workflow):
    """REANA would ask for kinds of objects that this cluster does not have, or that are not for its account."""
    resources = workflow.get("resources")
    if not isinstance(resources, dict) or not resources.get("dask"):
        return ""
    return (
        "There is no Dask here: it needs the Dask operator, with definitions over the whole cluster, and a "
        "VRE that is one tenant among others has none. Take dask out of the workflow's resources; a step can "
        "start workers of its own (dask.distributed.LocalCluster)."
    )


def cvmfs_refused(workflow, available):
    """Its jobs would wait for ever for a volume that nobody makes."""
    resources = workflow.get("resources")
    if available or not isinstance(resources, dict) or not resources.get("cvmfs"):
        return ""
    return (
        "There is no CVMFS here. Whoever runs this VRE can have it: spec.storage.shares, with cvmfs and "
        "without allowedGroups."
    )


def gated(application, refused, kept):
    """refused: of (workflow, person's id) why it is, "" for nothing. kept: of (workflow's id or name, person's
    id) the workflow, None for nothing."""

    def gate(environ, start_response):
        begun = starting(environ)
        workflow = kept(*begun) if begun else wanted(environ)
        person = parse_qs(environ.get("QUERY_STRING", "")).get("user", [""])[0]
        told = refused(workflow, person) if workflow else ""
        if not told:
            return application(environ, start_response)
        data = json.dumps({"message": told}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        start_response("400 BAD REQUEST", headers)
        return [data]

    return gate


def told_states(file):
    """How the batch systems do; nothing while nobody has looked."""
    try:
        return json.loads(Path(file).read_text())
    except (OSError, ValueError):
        return {}


def own_secrets(person):
    """What a person has brought: values by name, None for a file."""
    from kubernetes.client.rest import ApiException
    from reana_commons.config import REANA_RUNTIME_KUBERNETES_NAMESPACE
    from reana_commons.k8s.api_client import current_k8s_corev1_api_client as api

    try:
        stored = api.read_namespaced_secret(f"reana-secretsstore-{person}", REANA_RUNTIME_KUBERNETES_NAMESPACE)
    except ApiException as error:
        if error.status == 404:
            return {}
        raise
    kinds = json.loads((stored.metadata.annotations or {}).get("secrets_types", "{}"))
    return {
        name: base64.b64decode(value).decode(errors="replace") if kinds.get(name) == "env" else None
        for name, value in (stored.data or {}).items()
    }


def kept_workflow(name, person):
    """As the database has it, and whether its Snakefile says kerberos."""
    from reana_db.database import Session
    from reana_db.utils import _get_workflow_with_uuid_or_name

    try:
        row = _get_workflow_with_uuid_or_name(name, person)
        workflow, workspace = row.reana_specification["workflow"], row.workspace_path
        if not isinstance(workflow["type"], str):
            return None
    except (ValueError, KeyError, TypeError):
        return None  # the application says what is wrong with it
    finally:
        Session.remove()
    try:
        asks = workflow["type"].lower() == "snakemake" and snakefiles_ask(workspace, str(workflow.get("file")))
    except OSError:
        asks = False
    return {**workflow, "rules": {"kerberos": True}} if asks else workflow


def any_refused(workflow, person):
    states = told_states(os.environ.get("VRE_STATES", ""))
    return (
        engine_refused(workflow, ALLOWED)
        or cvmfs_refused(workflow, CVMFS)
        or dask_refused(workflow)
        or kerberos_refused(workflow, TICKETS, lambda: own_secrets(person))
        or backend_refused(workflow, DECLARED, states, lambda: own_secrets(person))
    )


def made_already():
    """In the place of REANA's making of the claim for CVMFS: it is the operator's, and REANA has no right to
    make one."""


def started_anyway(config_of):
    """In the place of REANA's containers for an engine that wants a ticket. One whose ticket fails would never
    start, and the workflow be pending for ever, as nobody looks at it before it speaks; so it starts, and its
    first step tells why there is no ticket."""

    def config(*arguments, **named):
        made = config_of(*arguments, **named)
        asks = ["bash", "-c", '"$@" || true', "kinit", *made.init_container["command"]]
        return made._replace(init_container={**made.init_container, "command": asks})

    return config


if ALLOWED:
    from reana_workflow_controller import workflow_run_manager
    from reana_workflow_controller.app import app

    workflow_run_manager.create_cvmfs_persistent_volume_claim = made_already
    workflow_run_manager.get_kerberos_k8s_config = started_anyway(workflow_run_manager.get_kerberos_k8s_config)
    application = gated(app, any_refused, kept_workflow)
