"""Both kinds through a real API server, drawn from their own schemas: whatever is said is admitted or refused
with words, the bounds are evaluated without an error, and the operator's own word is the same.

Forty of each in CI, two thousand in the long run (VRE_LONG=1).
"""

from __future__ import annotations

import copy
import json
import os
import time
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.cluster.test_bounds import GOOD, SPACE, Api, api
from tests.faults.wishes import values_of, wishes
from tests.site import ROOT
from vre_operator.api import names
from vre_operator.api.bounds import broken
from vre_operator.api.validate import load, load_vresite

__all__ = ["api"]

EXAMPLES = 2000 if os.environ.get("VRE_LONG") == "1" else 40
pytestmark = pytest.mark.timeout(3 * 3600 if EXAMPLES > 40 else 600)

_ERRORS = ("resulted in error", "failed to evaluate", "no such key", "internal error", "panic")


def sites() -> st.SearchStrategy[dict[str, Any]]:
    """Specs of a VRESite that the schema allows; expiry is the operator's matter alone."""
    definition = yaml.safe_load((ROOT / "crds" / "vresites.vre.science.yaml").read_text())
    schema = copy.deepcopy(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    del schema["properties"]["bounds"]["properties"]["grants"]["items"]["properties"]["expires"]
    return values_of(schema["properties"]["bounds"]).map(lambda bounds: {"bounds": bounds})


def test_whatever_a_site_and_a_tenant_say(api: Api) -> None:
    seen = {"sites": 0, "refused sites": 0, "wishes": 0, "refused wishes": 0}

    @seed(8)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(sites(), wishes())
    def say(site: dict[str, Any], wish: dict[str, Any]) -> None:
        document = {
            "apiVersion": names.API_VERSION,
            "kind": names.SITE_KIND,
            "metadata": {"name": "site"},
            "spec": site,
        }
        done = api.apply(document)
        seen["sites"] += 1
        assert not any(word in done.stderr for word in _ERRORS), done.stderr
        if done.returncode:
            seen["refused sites"] += 1
            return
        # What the API server takes the operator heeds.
        bounds = load_vresite(document).bounds
        tenant = {**GOOD, "spec": wish}
        deadline = time.monotonic() + 20
        while True:
            asked = api.apply(tenant, "--dry-run=server")
            assert not any(word in asked.stderr for word in _ERRORS), asked.stderr
            if "ValidatingAdmissionPolicy" in asked.stderr:
                agreed = bool(list(broken(bounds, SPACE, _defaulted(tenant))))
            elif asked.returncode:
                seen["refused wishes"] += 1
                return
            else:
                agreed = not list(broken(bounds, SPACE, json.loads(asked.stdout)["spec"]))
            if agreed:
                break
            assert time.monotonic() < deadline, (site, asked.stderr)
            time.sleep(0.1)
        seen["wishes"] += 1

    say()
    assert seen["wishes"] > EXAMPLES // 4, seen
    assert seen["sites"] == EXAMPLES


def _defaulted(tenant: dict[str, Any]) -> dict[str, Any]:
    """The wish with its defaults: a refusal does not give it back."""
    spec: dict[str, Any] = load(tenant).model_dump(mode="json", by_alias=True, exclude_none=True)
    return spec
