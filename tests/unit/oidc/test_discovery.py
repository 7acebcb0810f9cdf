"""The kind Issuer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.oidc.idp import LOOPBACK, Idp
from vre_operator.engine.errors import Invalid, TargetError, Unavailable
from vre_operator.engine.target import Presence, State
from vre_operator.targets.oidc.discovery import Issuers
from vre_operator.targets.oidc.http import IssuerHttp


def issuers(idp: Idp) -> Issuers:
    made: dict[str, IssuerHttp] = {}

    def connect(issuer: str, ca: str, cidrs: tuple[str, ...]) -> IssuerHttp:
        return made.setdefault(issuer, IssuerHttp(issuer, ca, cidrs, clock=idp.clock))

    return Issuers(connect, idp.clock)


def body(idp: Idp, **changes: Any) -> dict[str, Any]:
    return {"issuer": idp.url, "ca_bundle": idp.ca, "allowed_cidrs": list(LOOPBACK), **changes}


async def test_the_document_is_fetched_once_in_a_while(idp: Idp) -> None:
    idp.says(idp.document)
    known = issuers(idp)
    seen = await known.observe(body(idp))
    assert seen.presence is Presence.SYNCED
    assert seen.outputs == {**idp.document, "userinfo_endpoint": "", "end_session_endpoint": ""}
    await asyncio.gather(*(known.observe(body(idp)) for _ in range(5)))
    assert len(idp.seen) == 1
    assert seen.recheck_after
    assert 600 <= seen.recheck_after <= 720
    idp.clock.now += 720
    await asyncio.gather(*(known.observe(body(idp)) for _ in range(5)))
    assert len(idp.seen) == 2


async def test_another_spelling_is_another_issuer(idp: Idp) -> None:
    idp.says({**idp.document, "issuer": f"{idp.url}/"})
    with pytest.raises(Invalid) as refused:
        await issuers(idp).observe(body(idp))
    assert refused.value.reason == "IssuerMismatch"
    assert "spec.identity.issuer" in refused.value.text
    assert "slash" in refused.value.text


@pytest.mark.parametrize("changes", [{"jwks_uri": None}, {"token_endpoint": "http://localhost/"}])
async def test_a_document_without_what_is_needed_is_none(idp: Idp, changes: dict[str, object]) -> None:
    idp.says({**idp.document, **changes})
    with pytest.raises(Unavailable, match=next(iter(changes))):
        await issuers(idp).observe(body(idp))


async def test_while_the_provider_is_away_its_endpoints_stay_known(idp: Idp) -> None:
    idp.says(idp.document)
    known = issuers(idp)
    first = await known.observe(body(idp))
    idp.says({}, status=503)
    idp.clock.now += 720
    seen = await known.observe(body(idp))
    assert seen.outputs == first.outputs
    assert seen.readiness.state is State.PROGRESSING
    assert seen.readiness.reason == "IssuerUnreachable"
    assert seen.recheck_after
    assert seen.recheck_after < 5
    idp.says(idp.document)
    idp.clock.now += seen.recheck_after
    assert (await known.observe(body(idp))).readiness.ready


async def test_an_unreachable_issuer_says_when_it_is_tried_again(idp: Idp) -> None:
    idp.says({}, status=404)
    known = issuers(idp)
    for _ in range(3):
        with pytest.raises(TargetError) as failure:
            await known.observe(body(idp))
        assert failure.value.reason == "IssuerUnreachable"
        assert failure.value.retry_after
        assert not failure.value.terminal
        assert "spec.identity.issuer" in failure.value.text
    assert len(idp.seen) == 1


async def test_an_issuer_inside_is_refused(idp: Idp) -> None:
    with pytest.raises(Invalid) as refused:
        await issuers(idp).observe(body(idp, allowed_cidrs=[]))
    assert refused.value.reason == "IssuerRefused"
