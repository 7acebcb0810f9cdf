"""Provider manual: a person enters the client at the provider and its id and secret into the Secret."""

from __future__ import annotations

import logging

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid, NotReady
from vre_operator.targets.oidc import expiry
from vre_operator.targets.oidc.model import NO_PROBLEM, ClientSpec, Problem
from vre_operator.targets.oidc.registrar import Work

log = logging.getLogger(__name__)


class Manual:
    """Strategy D of the contract: nothing is written at the provider."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        del work
        return "", NO_PROBLEM

    async def ensure(self, work: Work) -> Problem:
        client_id = work.spec.credential.get("client_id", "")
        secret = work.spec.credential.get("client_secret", "")
        if not client_id or not secret:
            raise NotReady(
                f"The Secret of {work.spec.credential_field} holds no client of {work.spec.issuer} yet",
                remedy=f"Register one there ({to_enter(work.spec)})"
                " and write its client_id and client_secret into the Secret.",
                reason=Reason.REGISTRATION_PENDING,
            )
        text = work.spec.credential.get(expiry.TOLD_BY, "")
        try:
            ends = expiry.told(work.state, expiry.entered(text), work.clock())
        except (ValueError, OverflowError):
            raise Invalid(
                f"{expiry.TOLD_BY} of the client's Secret is neither seconds since 1970 nor a date",
                remedy="Write a date such as 2027-01-31, or take the key out.",
            ) from None
        await work.record.update(client_id=client_id, current=secret, **ends)
        return NO_PROBLEM

    async def remove(self, work: Work) -> bool:
        if work.state.client_id:
            log.info(
                "client %s at %s was entered by a person and stays there",
                work.state.client_id,
                work.spec.issuer,
            )
        return True


def to_enter(spec: ClientSpec) -> str:
    """What a person types into the provider's form."""
    parts = {
        "redirect URIs": spec.redirect_uris,
        "post-logout redirect URIs": spec.post_logout_redirect_uris,
        "scopes": spec.scopes,
        "grants": spec.grant_types,
        "authentication": (spec.token_endpoint_auth_method,),
        "PKCE": ("S256",) if spec.pkce else (),
    }
    return "; ".join(f"{name}: {' '.join(values)}" for name, values in parts.items() if values)
