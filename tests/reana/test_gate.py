"""What the gate before the controller reads of a workflow that starts, with each generation's models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reana.models import FILES, Reana

# The first on a machine installs the models of both generations.
pytestmark = pytest.mark.timeout(900)

STARTED = """
import json, sys, uuid
sys.path.insert(0, {files!r})
import gate
from reana_db.database import Session
from reana_db.models import User, Workflow
owner = str(Session.query(User).first().id_)
ids = {{}}
wanted = [{{"kerberos": True}}]
for name, kind, steps in (("rules", "snakemake", []), ("steps", "serial", wanted), ("none", "serial", [])):
    ids[name] = str(uuid.uuid4())
    workflow = {{"type": kind, "file": "Snakefile", "specification": {{"steps": steps}}}}
    Session.add(Workflow(id_=ids[name], name=name, owner_id=owner, type_=kind, logs="",
                         reana_specification={{"workflow": workflow}}, workspace_path={workspace!r}))
    Session.commit()
Session.remove()
told = {{name: gate.tickets(gate.kept_workflow(id_, owner)) for name, id_ in ids.items()}}
told["unknown"] = gate.kept_workflow(str(uuid.uuid4()), owner)
told["somebody else's"] = gate.kept_workflow(ids["steps"], str(uuid.uuid4()))
print(json.dumps(told))
"""


def test_what_a_workflow_that_starts_asks_for(reana: Reana, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text("rule a:\n  resources:\n    kerberos=True\n")
    reana.prepared()
    assert reana.ask(STARTED.format(files=str(FILES), workspace=str(tmp_path))) == {
        "rules": True,
        "steps": True,
        "none": False,
        "unknown": None,
        "somebody else's": None,
    }
