"""A long run that goes on after what has passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.resume import PROGRESS, prepare

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest
from pathlib import Path

@pytest.fixture
def leaves_something():
    yield
    assert Path("swept").exists()

def test_good(): pass
def test_bad(): assert Path("mended").exists()
def test_left(leaves_something): pass
@pytest.mark.skip
def test_skipped(): pass
"""
CONFTEST = """
from tests.faults import resume
def pytest_configure(config): resume.register(config)
"""


def run(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", *options]
    told = {PROGRESS: str(folder / "progress"), "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")} | told
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "in two processes"])
def test_what_has_passed_is_left_out_and_nothing_else(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    progress = tmp_path / "progress"
    prepare(progress, "abc", resume=False)
    told = run(tmp_path, *options)
    assert "1 failed, 2 passed, 1 skipped, 1 error" in told
    prepare(progress, "abc", resume=True)
    (tmp_path / "mended").touch()
    (tmp_path / "swept").touch()
    told = run(tmp_path, *options)
    assert "2 passed, 1 skipped" in told
    prepare(progress, "abc", resume=True)
    assert "1 skipped" in run(tmp_path, *options)
    prepare(progress, "abc", resume=False)
    assert "3 passed, 1 skipped" in run(tmp_path, *options), "anew"


def test_another_commit_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without RESUME"):
        prepare(tmp_path, "abc", resume=True)
    prepare(tmp_path, "abc", resume=False)
    (tmp_path / "faults.jsonl").write_text("{}")
    with pytest.raises(ValueError, match="without RESUME"):
        prepare(tmp_path, "def", resume=True)
    assert (tmp_path / "faults.jsonl").exists(), "and what was found is kept"
    prepare(tmp_path, "def", resume=False)
    assert not (tmp_path / "faults.jsonl").exists()
