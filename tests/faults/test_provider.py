"""R4: every call to the provider fails in every way, and above all: done, but the answer was lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.oidc import keycloak
from dev.oidc.keycloak import Server
from dev.oidc.realm import Realm
from tests.faults.plans import Reference, carry_out, every, refer, sampled
from tests.faults.play import ISSUER, Player
from tests.faults.report import Tally
from tests.faults.rig.faults import EXTERNAL
from tests.faults.rig.identity import Keycloak
from tests.faults.rig.tenant import Tenant
from tests.faults.workloads import GONE, Workload
from tests.long import LONG

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(36_000 if LONG else 600)]

_SEED = 4
_SHARE = 6
_SHARE_OF_KEYCLOAK = 2


def _afresh(tenant: Tenant) -> None:
    """By an operator that has not met the provider yet."""
    tenant.stage.operator.kill()
    tenant.stage.start()
    tenant.make()


WORKLOADS = (
    Workload("create", _afresh, None),
    Workload("hostname", lambda tenant: tenant.patch(hostname=f"new.{tenant.host}")),
    Workload("delete", lambda tenant: tenant.delete(), until=GONE),
)


def _run(player: Player, share: int, tally: Tally) -> None:
    """Every fault at every call to the provider, readings included."""
    references = {}
    for workload in WORKLOADS:
        references[workload], _ = refer(player, workload)
        assert [str(flaw) for flaw in references[workload].flaws] == []
    steps = [
        Reference(one.workload, one.played, [step for step in one.played.asked if step[0] == ISSUER])
        for one in references.values()
    ]
    plans = every(steps, EXTERNAL)
    some = plans if LONG else sampled(plans, share, _SEED)
    carry_out(player, some, references.__getitem__, tally, tries=3)
    assert not tally.failed, tally.verdict()
    assert not tally.missed


@pytest.fixture(scope="module")
def server(player: Player, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    proxy = player.stage.keycloak
    with (
        keycloak.running(tmp_path_factory.mktemp("keycloak"), proxy.url) as server,
        proxy.to(server.url, server.ca),
    ):
        yield server


# Each costs minutes of time-outs: the second is part of make test-long.
_OF_KEYCLOAK = ["keycloak-admin", "keycloak-dcr"] if LONG else ["keycloak-admin"]


@pytest.fixture(params=_OF_KEYCLOAK)
def at_keycloak(request: pytest.FixtureRequest, player: Player, server: Server) -> Iterator[Player]:
    stage, realm = player.stage, Realm(server)
    stage.background.run(realm.__aenter__())
    provider = Keycloak(stage.background, server, realm, request.param, stage.keycloak.url)
    yield Player(stage, provider, stage.keycloak)
    stage.background.run(realm.__aexit__(None, None, None))


def test_generic_dcr(player: Player) -> None:
    _run(player, _SHARE, Tally("R4 generic-dcr"))


def test_keycloak(at_keycloak: Player) -> None:
    _run(at_keycloak, _SHARE_OF_KEYCLOAK, Tally(f"R4 {at_keycloak.provider.kind}"))
