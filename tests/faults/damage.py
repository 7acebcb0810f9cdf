"""Deliberate damage: bugs of the classes that operators really have, and the test that must notice each.

`python -m tests.faults.damage [NAME ...]` damages a copy of the committed tree, one bug at a time, runs the
test that is named beside it and prints who noticed. Exit code 1 when one went unnoticed. The classes are
those of the studies in docs/reliability.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Damage:
    """`old` becomes `new` in `path`; `test` is what pytest is told to run."""

    name: str
    kind: str
    path: str
    old: str
    new: str
    test: str


DAMAGES = (
    Damage(
        "act before intent",
        "crash",
        "vre_operator/runtime/reconcile.py",
        "        await report.save()\n",
        "",
        "tests/unit/runtime/test_reconcile.py",
    ),
    Damage(
        "identity by name, not by uid",
        "stale state",
        "vre_operator/targets/kubernetes/manifest.py",
        "return (owner is not None and owner.uid == tenant.uid) or _marked(tenant, mark_of(obj))",
        "return owner is not None and owner[:2] == tenant.key",
        "tests/cluster/test_kube_target.py",
    ),
    Damage(
        "delete without precondition",
        "stale state",
        "vre_operator/targets/kubernetes/removal.py",
        '            uid=metadata["uid"],\n',
        "",
        "tests/unit/kube/test_removal.py",
    ),
    Damage(
        "a comparison that ignores a field",
        "wrong observation",
        "vre_operator/engine/compare.py",
        "    if path and path[-1] in _EXACT:\n",
        "    if False:\n",
        "tests/unit/engine/test_compare.py",
    ),
    Damage(
        "a creation repeated after a lost answer",
        "operator and application",
        "vre_operator/targets/oidc/dcr.py",
        "        if state.intent_at and await self.found(work):\n            return await self.ensure(work)\n",
        "",
        "tests/oidc/test_crashes.py::test_generic_dcr_create",
    ),
    Damage(
        "a client left whose answer was lost",
        "crash",
        "vre_operator/targets/oidc/oa4mp.py",
        "        await self._sweep(work, api, listed)\n",
        "",
        "tests/oidc/test_contract.py::test_an_answer_that_gets_lost_makes_no_second_client[oa4mp]",
    ),
    Damage(
        "a second creation while the first is on its way",
        "crash",
        "vre_operator/targets/oidc/iam_dcr.py",
        "if live is None and not settled:",
        "if False:",
        "tests/oidc/test_contract.py::test_a_registration_that_arrives_late_makes_no_second_client[iam-dcr-with-listing]",
    ),
    Damage(
        "a removal missed while nobody watched",
        "missed news",
        "vre_operator/kube/reflector.py",
        "if (entry.namespace, entry.name) not in seen and entry.version <= int(version):",
        "if False:",
        "tests/cluster/test_kube_reflector.py",
    ),
    Damage(
        "an answer that raises the dead",
        "missed news",
        "vre_operator/kube/reflector.py",
        "        if part is None or (known is None and part.version and entry.version <= int(part.version)):\n",
        "        if part is None:\n",
        "tests/cluster/test_kube_reflector.py",
    ),
    Damage(
        "a watch that may be silent for ever",
        "missed news",
        "vre_operator/kube/transport.py",
        "total=None, sock_connect=5, sock_read=silence",
        "total=None, sock_connect=5",
        "tests/unit/kube/test_transport.py",
    ),
    Damage(
        "a wake lost while the pass runs",
        "missed news",
        "vre_operator/runtime/queue.py",
        "            self._again[key] = repair or self._again.get(key, False)\n",
        "            pass\n",
        "tests/unit/runtime/test_queue.py",
    ),
    Damage(
        "data pruned with the rest",
        "data loss",
        "vre_operator/engine/executor.py",
        "[entry for entry in entries if data or entry.policy is not Policy.RETAIN]",
        "list(entries)",
        "tests/unit/runtime/test_reconcile.py",
    ),
    Damage(
        "a generated secret made anew at each apply",
        "data loss",
        "vre_operator/targets/kubernetes/generated.py",
        "and (anew or key not in values)\n    }",
        "\n    }",
        "tests/cluster/test_kube_target.py",
    ),
    Damage(
        "the same rotation begun again at each pass",
        "secrets",
        "vre_operator/targets/kubernetes/target.py",
        " and rotation_of(live) != tenant.rotation",
        "",
        "tests/cluster/test_kube_life.py",
    ),
    Damage(
        "the finalizer let go before all is gone",
        "leak",
        "vre_operator/runtime/reconcile.py",
        "        if not left:\n            await report.drop_finalizer()",
        "        if not left or result.gone:\n            await report.drop_finalizer()",
        "tests/unit/runtime/test_deletion.py",
    ),
    Damage(
        "a seal over what nobody looked at",
        "wrong observation",
        "vre_operator/targets/kubernetes/target.py",
        "                if walked:\n                    return None\n",
        "",
        "tests/cluster/test_kube_seal.py",
    ),
    Damage(
        "a leader that never doubts itself",
        "two writers",
        "vre_operator/kube/lease.py",
        "return self._clock() - self._renewed < self._deadline",
        "return self._renewed > 0",
        "tests/cluster/test_kube_lease.py",
    ),
    Damage(
        "a fence that is asked only when a request is begun",
        "two writers",
        "vre_operator/kube/fence.py",
        "        if not self._may_send():\n            raise NotSentError\n",
        "",
        "tests/unit/kube/test_transport.py",
    ),
    Damage(
        "the provider's words in a condition",
        "secret leak",
        "vre_operator/targets/oidc/registrar.py",
        '            words = words.replace(secret, "***")\n',
        "            pass\n",
        "tests/unit/oidc",
    ),
    Damage(
        "the site's credential for an issuer that a status names",
        "secret leak",
        "vre_operator/runtime/defaults.py",
        "(site is None or site.issuer != held)",
        "site is None",
        "tests/unit/runtime/test_defaults.py",
    ),
    Damage(
        "a class for a volume that was made without",
        "operator and application",
        "vre_operator/runtime/defaults.py",
        "and site and self._made(claim)",
        "and site and False",
        "tests/unit/runtime/test_defaults.py",
    ),
    Damage(
        "a hot tenant takes every turn",
        "waste",
        "vre_operator/runtime/queue.py",
        "            if (pause := self._pause(key)) > 0:\n",
        "            if (pause := 0.0) > 0:\n",
        "tests/unit/runtime/test_queue.py",
    ),
)


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Damage, run, tell."""
    chosen = [one for one in DAMAGES if not names or one.name in names]
    table = Table("damage", "class", "test", "noticed by")
    missed = 0
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            (tree / ".venv").symlink_to(ROOT / ".venv")
            for one in chosen:
                found = _try(tree, one)
                missed += not found
                table.add_row(one.name, one.kind, one.test, found or "NOBODY")
                print(f"{one.name}: {found or 'NOBODY noticed'}", flush=True)
        finally:
            _git("worktree", "remove", "--force", str(tree))
    Console(width=150).print(table)
    sys.exit(1 if missed else 0)


def _try(tree: Path, damage: Damage) -> str:
    """The name of the first test that failed, "" when none did."""
    path = tree / damage.path
    text = path.read_text()
    if text.count(damage.old) != 1:
        raise click.ClickException(f"{damage.name}: {damage.path} has changed; correct tests/faults/damage.py")
    path.write_text(text.replace(damage.old, damage.new))
    try:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", damage.test]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    finally:
        path.write_text(text)
        for cache in tree.glob("vre_operator/**/__pycache__"):
            shutil.rmtree(cache)
    told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED tests/", "ERROR tests/"))]
    failed = [line.partition(" ")[2].partition(" - ")[0] for line in told]
    if done.returncode != 1 or not failed:
        return ""
    file, _, test = failed[0].partition("::")
    return f"{Path(file).name}::{test}"


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)


if __name__ == "__main__":
    main()
