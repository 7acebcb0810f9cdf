"""An FTS that is away, and certificates that will not do: one condition says it, the rest goes on."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from dev.cluster import Cluster
from dev.oidc.provider import Registry
from tests.faults.neighbours.conftest import AGAIN
from tests.faults.neighbours.person import Person, fresh, until
from tests.fts.authority import Authority
from tests.fts.server import Fts
from tests.site import SYSTEM, Site, operating
from vre_operator.api import names

SECRET = "v1/Secret"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def site(
    cluster: Cluster, registry: Registry, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("operator")
    with operating(cluster, registry, folder, AGAIN, ca=authority.pem) as site:
        yield site
        assert [line for line in site.operator.log if "traceback" in line] == []


def encoded(robot: tuple[str, str]) -> Json:
    certificate, key = (base64.b64encode(text.encode()).decode() for text in robot)
    return {"tls.crt": certificate, "tls.key": key}


def lake(fts: Fts) -> Json:
    return {
        "enabled": True,
        "daemons": {"groups": ["Rules", "Transfers"]},
        "transfers": {"fts": fts.url, "x509": {"certificateSecret": {"name": "robot"}}},
    }


async def proxy(person: Person, tenant: str) -> str:
    secret = await until(lambda: person.get(SECRET, tenant, "rucio-x509"))
    assert secret is not None
    return base64.b64decode(secret["data"]["proxy.pem"]).decode()


async def others(person: Person, tenant: str) -> dict[str, str]:
    """The reasons of all components' conditions but this one's, and of what is tried once an hour."""
    whole = ("Ready", "Reconciling", "Stalled", "TransfersReady", "Isolated")
    return {
        name: reason for name, (reason, _) in (await person.conditions(tenant)).items() if name not in whole
    }


async def test_from_no_certificate_to_one_that_ends(
    site: Site, person: Person, authority: Authority, tmp_path: Path
) -> None:
    tenant = fresh("fts")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        fts = Fts(port=reserved.getsockname()[1])
    await person.make(tenant, dataLake=lake(fts))
    said = await person.settled(tenant, "SecretNotFound", "TransfersReady")
    assert "kubectl" in said
    assert "robot" in said

    # A key of somebody else.
    await person.create(
        SECRET, tenant, "robot", data=encoded((authority.robot()[0], authority.robot("Other")[1]))
    )
    said = await person.settled(tenant, "CertificateInvalid", "TransfersReady")
    assert "does not belong" in said

    # The right one, and nobody at the FTS' address.
    await person.edit(SECRET, tenant, "robot", lambda obj: obj.update(data=encoded(authority.robot())))
    said = await person.settled(tenant, "Unavailable", "TransfersReady")
    assert f"localhost:{fts.port}" in said
    assert "spec.dataLake.transfers.fts" in said
    assert await proxy(person, tenant), "Rucio has its proxy all the same"
    rest = await until(lambda: others(person, tenant), lambda found: set(found.values()) == {"Ready"})
    assert "DataLakeReady" in rest

    async with fts.serve(authority, tmp_path):
        await person.settled(tenant, "Ready", "TransfersReady")
        (held,) = fts.held.values()
        (mine, *_) = x509.load_pem_x509_certificates((await proxy(person, tenant)).encode())
        assert held[1] == mine, "what the FTS has is signed by what Rucio has"
        await person.settled(tenant)
        vre = await person.vre(tenant)
        assert vre is not None
        ends = {one["name"]: datetime.fromisoformat(one["expires"]) for one in vre["status"]["credentials"]}
        assert ends["Proxy x509"] == mine.not_valid_after_utc
        left = mine.not_valid_after_utc - datetime.now(UTC)
        assert timedelta(hours=95) < left <= timedelta(hours=96)

        # Another certificate, which ends soon: told while all works.
        soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
        brief = authority.robot("Robot: brief", until=soon)
        await person.edit(SECRET, tenant, "robot", lambda obj: obj.update(data=encoded(brief)))
        said = await person.settled(tenant, "CertificateExpires", "TransfersReady")
        assert f"{soon:%Y-%m-%d}" in said
        await until(lambda: _held(fts), lambda count: count == 2)
        await until(lambda: _told_of_proxy(person, tenant), lambda reasons: "Repaired" in reasons)
        conditions = await person.conditions(tenant)
        assert conditions["Ready"][0] == "Ready"

        # One that lives longer than the one in use.
        assert "Renewed" not in await _told_of_proxy(person, tenant)
        await person.edit(SECRET, tenant, "robot", lambda obj: obj.update(data=encoded(authority.robot())))
        await person.settled(tenant, "Ready", "TransfersReady")
        await until(lambda: _told_of_proxy(person, tenant), lambda reasons: "Renewed" in reasons)

        # One that will not do: what was made of the former stays in use.
        before = await proxy(person, tenant)
        wrong = (brief[0], authority.robot("Other")[1])
        await person.edit(SECRET, tenant, "robot", lambda obj: obj.update(data=encoded(wrong)))
        said = await person.settled(tenant, "CertificateInvalid", "TransfersReady")
        assert "stays, until" in said
        assert await proxy(person, tenant) == before
        vre = await person.vre(tenant)
        assert vre is not None
        assert [one["name"] for one in vre["status"]["credentials"]].count("Proxy x509") == 1

    for text in (str(await person.vre(tenant)), str(site.operator.log), str(await _events(person, tenant))):
        assert "PRIVATE KEY" not in text
        assert "BEGIN CERTIFICATE" not in text
    await person.remove(tenant)
    kept = await person.kube.list(SECRET, SYSTEM, selector=f"{names.TENANT_NAMESPACE_LABEL}={tenant}")
    assert kept == []


async def _held(fts: Fts) -> int:
    return len(fts.held)


async def _events(person: Person, tenant: str) -> list[tuple[str, str]]:
    """Reason and message."""
    found = await person.kube.list("v1/Event", tenant)
    return [(item["reason"], item.get("message", "")) for item in found]


async def _told_of_proxy(person: Person, tenant: str) -> set[str]:
    return {reason for reason, message in await _events(person, tenant) if "Proxy x509" in message}
