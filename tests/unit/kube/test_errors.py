"""What the API server's refusals mean."""

from __future__ import annotations

import pytest

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Invalid, Unavailable
from vre_operator.kube.errors import from_response

_UID = {"field": "metadata.uid", "message": "Invalid value: field is immutable"}
_TEMPLATE = {"field": "spec.template", "message": "Invalid value: field is immutable"}
_LABEL = {"field": "spec.template.metadata.labels[controller-uid]", "message": "Invalid value: must be '0d70'"}


def _refused(*causes: dict[str, str]) -> Exception:
    message = "; ".join(cause["message"] for cause in causes)
    body = {"kind": "Status", "code": 422, "message": message, "details": {"causes": list(causes)}}
    return from_response(422, body, what="apply Job a/b", kind="batch/v1/Job")


@pytest.mark.parametrize("causes", [(_UID,), (_UID, _LABEL), (_UID, _TEMPLATE)])
def test_another_uid_is_another_object_whatever_else_differs(causes: tuple[dict[str, str], ...]) -> None:
    """A Job's template carries its uid: were that taken for a change, it would be deleted and made anew."""
    assert isinstance(_refused(*causes), Conflict)


def test_a_template_that_cannot_be_changed_is_told_as_that() -> None:
    refusal = _refused(_TEMPLATE)
    assert isinstance(refusal, Invalid)
    assert refusal.reason == Reason.IMMUTABLE_FIELD


POLICY = "ValidatingAdmissionPolicy 'site' with binding 'all' denied request"
WEBHOOK = 'admission webhook "rules.example.org" denied the request'


@pytest.mark.parametrize("who", [POLICY, WEBHOOK])
@pytest.mark.parametrize("code", [400, 403, 422])
def test_an_admission_rule_is_named_whatever_its_code(who: str, code: int) -> None:
    """The rule's words too, but for a Secret: they may quote it."""
    body = {"message": f'secrets "x" is forbidden: {who}: not with hunter2', "details": {"causes": [{}]}}
    for kind, words in (("v1/Service", f"{who}: not with hunter2"), ("v1/Secret", who)):
        error = from_response(code, body, what="apply it", kind=kind, namespace="n")
        assert isinstance(error, Invalid)
        assert error.text == f"apply it: {words}. An admission rule of this cluster says so"


def test_a_cluster_without_addresses_says_so_and_other_errors_of_a_server_say_nothing() -> None:
    """Seen with a thousand tenants: "the API server answered 500" helps nobody."""
    full = "Internal error occurred: failed to allocate a serviceIP: range is full"
    error = from_response(500, {"message": full}, what="apply Service a/hub", kind="v1/Service")
    assert isinstance(error, Unavailable)
    assert error.text.startswith(
        "apply Service a/hub: failed to allocate a serviceIP: range is full. This cluster"
    )
    assert not error.terminal
    other = from_response(500, {"message": "etcd: hunter2"}, what="apply it", kind="v1/Service")
    assert other.text == "apply it: the API server answered 500"
