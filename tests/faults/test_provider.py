"""R4: every call to the provider fails in every way, and above all: done, but the answer was lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.oidc import keycloak
from dev.oidc.keycloak import Server
from dev.oidc.realm import Realm
from tests.faults.conftest import LONG, QUIET
from tests.faults.plans import Plan, Reference, carried_out, every, refer, sampled
from tests.faults.play import ISSUER, Player
from tests.faults.report import Tally
from tests.faults.rig.faults import EXTERNAL
from tests.faults.rig.identity import Keycloak
from tests.faults.rig.tenant import Tenant
from tests.faults.workloads import GONE, Workload

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(36_000 if LONG else 600)]

_SEED = 4
_SHARE = 26
_SHARE_OF_KEYCLOAK = 6


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


def _plans(player: Player) -> tuple[dict[str, Reference], list[Plan]]:
    """Every fault at every call to the provider, readings included."""
    references = {}
    for workload in WORKLOADS:
        references[workload.name], differences = refer(player, workload)
        assert not differences
        assert [str(flaw) for flaw in references[workload.name].flaws] == []
    steps = [
        Reference(one.workload, one.played, [step for step in one.played.asked if step[0] == ISSUER])
        for one in references.values()
    ]
    return references, every(steps, EXTERNAL)


def _run(player: Player, plans: list[Plan], references: dict[str, Reference], tally: Tally) -> None:
    for plan in plans:
        played, violations = carried_out(player, plan, references[plan.workload.name])
        tally.add(str(plan), violations, explained=bool(played.explained), reached=played.reached)
        if played.explained and not _registers(plan):
            tally.failed.setdefault(str(plan), []).append(f"a person was asked for help: {played.explained}")
    player.bury()
    tally.close()
    assert not tally.failed, tally.verdict()
    assert not tally.missed


def _registers(plan: Plan) -> bool:
    """Whether a registration got no clear answer: only then is nobody able to tell what there is.

    Keycloak's admin can tell at any time, so that way never asks.
    """
    return any(hit.key.endswith((" /reg", "/clients-registrations/default")) for hit in plan.hits)


@pytest.fixture(scope="module")
def server(player: Player, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    proxy = player.stage.keycloak
    with (
        keycloak.running(tmp_path_factory.mktemp("keycloak"), proxy.url) as server,
        proxy.to(server.url, server.ca),
    ):
        yield server


@pytest.fixture(params=["keycloak-admin", "keycloak-dcr"])
def at_keycloak(request: pytest.FixtureRequest, player: Player, server: Server) -> Iterator[Player]:
    stage, realm = player.stage, Realm(server)
    stage.background.run(realm.__aenter__())
    provider = Keycloak(stage.background, server, realm, request.param, stage.keycloak.url)
    yield Player(stage, provider, stage.keycloak, QUIET)
    stage.background.run(realm.__aexit__(None, None, None))


def test_generic_dcr(player: Player) -> None:
    references, plans = _plans(player)
    chosen = plans if LONG else sampled(plans, _SHARE, _SEED)
    _run(player, chosen, references, Tally("R4 generic-dcr"))


def test_keycloak(at_keycloak: Player) -> None:
    references, plans = _plans(at_keycloak)
    chosen = plans if LONG else sampled(plans, _SHARE_OF_KEYCLOAK, _SEED)
    _run(at_keycloak, chosen, references, Tally(f"R4 {at_keycloak.provider.kind}"))
