"""The tenant that registers its login client: beside the others' figures what a real provider adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dev.oidc import provider
from tests.scale import contenders, creation, rig, tenants
from tests.scale.figures import Row
from tests.scale.issuer import Issuer
from tests.scale.tenants import Rendered


def measure(name: str, folder: Path) -> Iterator[Row]:
    """One tenant at oidc-provider, by dynamic registration without a credential."""
    home = folder / "registering"
    home.mkdir()
    with provider.running(home) as registry:
        issuer = Issuer(registry.url, registry.ca)
        site = rig.site_settings(issuer)
        identity = {"issuer": registry.url, "provider": "generic-dcr", "allowAll": True}

        def one(namespace: str) -> list[Rendered]:
            return creation.render(home / "rendered", [tenants.wish(namespace, identity)], site)

        with rig.world(name, folder / "turn", issuer) as world:
            ours = contenders.Ours(world, home / "rendered")
            try:
                ours.start()
                creation.make(world, ours, one("warm"))
                before = len(registry.clients())
                made = creation.make(world, ours, one("registers"))
                clients = len(registry.clients()) - before
            finally:
                ours.end()
    assert made.ready
    yield Row(
        "one tenant that registers its client at oidc-provider",
        "1 client",
        f"last object {made.seconds:.2f} s, Ready {made.ready:.2f} s, {sum(made.asked.values())} requests, "
        f"{clients} client",
        clients == 1,
    )
