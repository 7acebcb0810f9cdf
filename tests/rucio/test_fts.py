"""A real submitter at an FTS that knows people by certificate: it comes with the proxy that the operator made.

The FTS is a stand-in (tests/fts/server.py), for none can be had as a package.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fts.authority import Authority
from tests.fts.server import Fts
from tests.rucio.declared import Keeper
from tests.rucio.lake import at_work
from tests.rucio.test_daemons import until
from tests.unit.components.scenarios import SCENARIOS, environment
from vre_operator.components import rucio
from vre_operator.targets.fts import proxies

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WISH = SCENARIOS["x509"][0]


def submitter() -> list[str]:
    """As its container runs it."""
    (command,) = [
        container["command"]
        for resource in rucio.render(environment(WISH))
        if resource.id.kind.endswith("/Deployment") and resource.id.name == "rucio-transfers"
        for container in resource.body["spec"]["template"]["spec"]["containers"]
        if container["name"] == "conveyor-submitter"
    ]
    return list(command)


def rse(name: str, fts: str) -> dict[str, Any]:
    protocol = {"scheme": "https", "hostname": f"{name.lower()}.example.org", "port": 443, "prefix": "/survey/"}
    return {
        "name": name,
        "attributes": [{"name": "fts", "value": fts}],
        "protocols": [protocol | {"implementation": "webdav.Default"}],
    }


async def test_the_submitter_shows_the_proxy_and_the_next_one(tmp_path: Path) -> None:
    authority = Authority()
    async with Fts().serve(authority, tmp_path) as fts:
        with at_work("fts", wish=WISH) as work:

            def give(robot: str) -> None:
                now = datetime.now(UTC)
                credential = proxies.load(*authority.robot(robot))
                proxy = proxies.issue(credential, proxies.new_key(), now, now + timedelta(hours=12))
                (work.directory / "proxy.pem").write_bytes(proxy.pem)

            give("Robot: first")
            keeper = Keeper(work.url)
            account = {"name": "work", "admin": True, "scopes": ["work"]}
            account["quotas"] = [{"rseExpression": "*", "size": "1Gi"}]
            await keeper.keep({"rses": [rse("NEAR", fts.url), rse("FAR", fts.url)], "accounts": [account]})
            person = keeper.person()

            async def ask_for(name: str) -> None:
                replica = {"scope": "work", "name": name, "bytes": 4, "adler32": "0400019b", "state": "A"}
                await person.ask("POST", "replicas", body={"rse": "NEAR", "files": [replica]})
                dids = [{"scope": "work", "name": name}]
                body = {"dids": dids, "account": "work", "copies": 1, "rse_expression": "FAR"}
                await person.ask("POST", "rules", "", body=body)

            async def submitted() -> bool:
                return bool(fts.jobs)

            with work.daemon("submitter", *submitter()):
                await ask_for("one")
                await until(submitted)
                subject, job = fts.jobs.pop()
                assert subject.endswith("Robot: first")
                (file,) = job["files"]
                assert file["sources"][0].startswith("https://near.example.org")
                assert file["destinations"][0].startswith("https://far.example.org")

                # Renewed in place, as the kubelet does it: nothing restarts.
                give("Robot: second")
                await ask_for("two")
                await until(submitted)
                assert fts.jobs.pop()[0].endswith("Robot: second")
