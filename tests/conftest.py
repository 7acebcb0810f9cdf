"""Two processes share the tests: what shares a cluster stays in one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

# Each of these brings what it needs, or has it once in every process.
_ALONE = ("test_crashes.py", "test_provider.py", "test_stale.py", "test_renders.py", "test_model.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder, *rest = item.path.relative_to(Path(__file__).parent).parts
        if folder != "faults":
            group = folder
        elif rest[0] in _ALONE:
            continue
        else:
            group = f"{folder}-{rest[0]}"
        item.add_marker(pytest.mark.xdist_group(group))
