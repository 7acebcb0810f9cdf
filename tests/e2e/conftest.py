"""The whole project on one cluster: what `make demo` installs, for all tests of this folder.

`VRE_E2E_REUSE=NAME` takes the cluster NAME as it is (`demo`, say), brings changes in, and leaves it up.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dev import keycloak
from dev.cluster import Cluster
from dev.demo import tenant
from dev.demo.browser import browser
from dev.demo.installation import CLUSTER_OF_TESTS, Installation, prepare, variant
from dev.demo.journey import Album
from dev.progress import note
from tests.e2e.lake import create as create_lake

WORKING = "working"
ARTIFACTS = Path(__file__).parents[2] / "artifacts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the cluster, and the first test waits for it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="package")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """The operator and Keycloak on a cluster; progress is shown although tests are silent."""
    reused = os.environ.get("VRE_E2E_REUSE", "")
    cluster = Cluster(reused or CLUSTER_OF_TESTS)
    made = Installation(cluster)
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            prepare()
            made.install()
        yield made
    finally:
        if not reused:
            cluster.down()


@pytest.fixture(scope="package")
def working(installation: Installation) -> Installation:
    """A tenant `working`, of notebooks only: tests change it, and leave it Ready."""
    kubectl = installation.kubectl
    installation.create_tenant(variant(WORKING, dataLake={"enabled": False}, deletionPolicy="Delete"))
    tenant.wait_ready(kubectl, WORKING, WORKING, say=note)
    return installation


@pytest.fixture(scope="package")
def lake(installation: Installation) -> Installation:
    """The tenant `lake`, which test_lake.py changes and leaves Ready, and test_lake_people.py ends."""
    create_lake(installation)
    return installation


@pytest.fixture(scope="package")
def started(installation: Installation) -> Iterator[Browser]:
    """A browser that finds and trusts the cluster. It keeps an event loop in this thread until it ends."""
    cluster = installation.cluster
    with browser(cluster.ca_file, keycloak.DOMAIN, cluster.node_ip) as running:
        yield running


@pytest.fixture(scope="session")
def album() -> Album:
    """Where screenshots go, in the order of the journey."""
    return Album(ARTIFACTS / "journey")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells what a person would look at."""
    report = yield
    if report.failed and isinstance(made := getattr(item, "funcargs", {}).get("installation"), Installation):
        report.sections.append(("the cluster", tenant.explain(made.kubectl, *watched(item))))
    return report


def watched(item: pytest.Item) -> tuple[str, str]:
    """Namespace and name of the VREEnvironment that a test is about."""
    namespace = getattr(item.module, "NAMESPACE", "quickstart")  # type: ignore[attr-defined]
    return namespace, namespace
