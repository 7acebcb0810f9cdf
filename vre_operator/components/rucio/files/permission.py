# mypy: ignore-errors
"""A policy package's permissions: who has a quota at an RSE can work there with what is theirs.

Runs in the server's image (Python 3.9 and later), where the tenant names no package of its own. Rucio's
generic policy (core/permission/generic.py of 41) lets people without `admin` register files at RSEs of certain
names alone, but in anybody's scope; it lets them end no upload, and give up no rule. None leaves it to that.

A token that Rucio has taken is good until its end, also when its account is suspended: so nothing is permitted
to who is not active.
"""

import json

from flask import has_request_context, request
from rucio.common.exception import RuleNotFound
from rucio.common.types import InternalScope
from rucio.core.account import account_exists, has_account_attribute
from rucio.core.account_limit import get_local_account_limit
from rucio.core.rule import get_rule
from rucio.core.scope import is_scope_owner

ARRIVED = "A"
HARMLESS = {"lifetime", "comment"}


def has_permission(issuer, action, kwargs, session):
    """True, False, or None where the generic policy decides."""
    if not account_exists(issuer, session=session):
        return False
    decide = {
        "add_replicas": may_register,
        "update_replicas_states": may_end_upload,
        "del_rule": is_own_rule,
        "update_rule": may_update_rule,
    }.get(action)
    if decide is None or issuer.external == "root":
        return None
    if has_account_attribute(account=issuer, key="admin", session=session):
        return None
    return decide(issuer, kwargs, session)


def may_register(issuer, kwargs, session):
    return has_quota(issuer, kwargs, session) and are_own(issuer, files(), session)


def may_end_upload(issuer, kwargs, session):
    """Nothing but that files are there: another state could have Rucio delete them."""
    said = files()
    arrived = all(one.get("state") == ARRIVED for one in said)
    return arrived and has_quota(issuer, kwargs, session) and are_own(issuer, said, session)


def may_update_rule(issuer, kwargs, session):
    return HARMLESS.issuperset(kwargs["options"]) and is_own_rule(issuer, kwargs, session)


def is_own_rule(issuer, kwargs, session):
    try:
        return get_rule(kwargs["rule_id"], session=session)["account"] == issuer
    except RuleNotFound:
        return False


def has_quota(issuer, kwargs, session):
    return bool(get_local_account_limit(account=issuer, rse_ids=kwargs["rse_id"], session=session))


def are_own(issuer, said, session):
    scopes = {one.get("scope") for one in said}
    return bool(scopes) and all(
        isinstance(scope, str) and is_scope_owner(InternalScope(scope, vo=issuer.vo), issuer, session=session)
        for scope in scopes
    )


def files():
    """What the request is about: Rucio asks for a permission at an RSE, and does not say for which files."""
    if not has_request_context():
        return []
    said = json.loads(request.get_data(as_text=True)).get("files")
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
