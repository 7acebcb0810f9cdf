"""Both kinds through a real API server, drawn from their own schemas: whatever is said is admitted or refused
with words, the bounds are evaluated without an error, and the operator's own word is the same. And what is
admitted is served: no traceback, nobody waits for ever, and nothing of another tenant is touched.

Fifteen of each in CI, two thousand in the long run (VRE_LONG=1).
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dev.cluster import Cluster
from dev.oidc import provider
from tests.cluster.test_bounds import GOOD, SPACE, api
from tests.faults.neighbours.person import essence
from tests.faults.rig.api import KINDS, Api, Json, Refused, collection
from tests.faults.rig.background import Background
from tests.faults.wishes import values_of, wishes
from tests.long import LONG
from tests.site import ROOT, Site, eventually, operating
from vre_operator.api import names
from vre_operator.api.bounds import broken
from vre_operator.api.conditions import Reason
from vre_operator.api.validate import load, load_vresite

__all__ = ["api"]

EXAMPLES = 2000 if LONG else 15
pytestmark = pytest.mark.timeout(3 * 3600 if LONG else 600)

_ERRORS = ("resulted in error", "failed to evaluate", "no such key", "internal error", "panic")
_SITES = f"/apis/{names.API_VERSION}/{names.SITE_PLURAL}"
# Of the bystander's these change by themselves: an hourly trial of its walls makes them.
_PASSING = ("Pod", "Job", "Event", "PersistentVolume", "VREEnvironment")
_AT_ONCE = 8
# A machine without time for anybody lets a leader miss its renewals.
_PATIENT = {"POD_NAME": "operator-0", "VRE_LEASE_SECONDS": "60"}


@pytest.fixture(scope="module")
def http(cluster: Cluster) -> Iterator[Api]:
    """For thousands of questions: kubectl is a process for each."""
    with Background() as background:
        client = Api(background, cluster.kubeconfig)
        yield client
        client.close()


def drawn(say: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> None:
    """`say` for each of EXAMPLES; the same ones in every run."""
    whole = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(8)(whole(given(*strategies)(say)))()


def sites() -> st.SearchStrategy[dict[str, Any]]:
    """Specs of a VRESite that the schema allows; expiry is the operator's matter alone."""
    definition = yaml.safe_load((ROOT / "crds" / "vresites.vre.science.yaml").read_text())
    schema = copy.deepcopy(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    del schema["properties"]["bounds"]["properties"]["grants"]["items"]["properties"]["expires"]
    return values_of(schema["properties"]["bounds"]).map(lambda bounds: {"bounds": bounds})


@pytest.mark.usefixtures("api")
def test_whatever_a_site_and_a_tenant_say(http: Api) -> None:
    seen = {"sites": 0, "refused sites": 0, "wishes": 0, "refused wishes": 0}
    place = {"apiVersion": names.API_VERSION, "kind": names.SITE_KIND, "metadata": {"name": "site"}}
    http.ask("POST", _SITES, place)

    def say(site: Json, wish: Json) -> None:
        seen["sites"] += 1
        try:
            _wish(http, f"{_SITES}/site", site)
        except Refused as refused:
            _worded(refused)
            seen["refused sites"] += 1
            return
        # What the API server takes the operator heeds.
        bounds = load_vresite({**place, "spec": site}).bounds
        tenant = {**GOOD, "spec": wish}
        deadline = time.monotonic() + 20
        while True:
            try:
                taken = http.ask("POST", collection(names.KIND, SPACE), tenant, **_STRICT, dryRun="All")
            except Refused as refused:
                _worded(refused)
                if "ValidatingAdmissionPolicy" not in str(refused):
                    seen["refused wishes"] += 1
                    return
                said, agreed = str(refused), bool(list(broken(bounds, SPACE, _defaulted(tenant))))
            else:
                said, agreed = "", not list(broken(bounds, SPACE, taken["spec"]))
            if agreed:
                break
            # It follows its parameters by a watch.
            assert time.monotonic() < deadline, (site, wish, said)
            time.sleep(0.02)
        seen["wishes"] += 1

    drawn(say, sites(), wishes())
    print(seen)
    assert seen["wishes"] > EXAMPLES // 4, seen
    assert seen["sites"] == EXAMPLES


@dataclass
class Stranger:
    """A namespace in which one wish takes the place of another. refused: how often, by the API server's words.
    reasons: of Ready, as the operator came to a wish."""

    http: Api
    namespace: str
    wishes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    first: Json = field(default_factory=dict)

    def wish(self, spec: Json, *, end: bool) -> None:
        """Made or changed. end: with what may not change, too; who is refused then removes it, and begins again
        with the next one."""
        path = collection(names.KIND, self.namespace)
        if not end:
            spec = _lasting(self.first, spec)
        try:
            _wish(self.http, f"{path}/vre", spec)
            self.wishes += 1
        except Refused as refused:
            _worded(refused)
            if refused.code != 404:
                self.refused[_words(refused)] += 1
                if end:
                    self.http.delete(names.KIND, self.namespace, "vre")
                return
            self._begin(path, spec)

    def _begin(self, path: str, spec: Json) -> None:
        metadata = {"name": "vre", "namespace": self.namespace}
        obj = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
        try:
            self.http.ask("POST", path, obj, **_STRICT)
            self.wishes += 1
            self.first = spec
        except Refused as refused:
            _worded(refused)
            self.refused[_words(refused)] += 1

    @property
    def vre(self) -> Json | None:
        return self.http.get(names.KIND, self.namespace, "vre")

    def heard(self) -> bool:
        """Whether the operator has come to the last wish, or the object is gone, or on its way."""
        vre = self.vre
        if vre is None or "deletionTimestamp" in vre["metadata"]:
            return vre is None
        status = vre.get("status") or {}
        found = {item["type"]: item["reason"] for item in status.get("conditions") or ()}
        if status.get("observedGeneration") != vre["metadata"]["generation"] or "Ready" not in found:
            return False
        self.reasons[found["Ready"]] += 1
        # The API server took it: then it is no surprise to the operator.
        assert not {Reason.INVALID_SPEC, Reason.INTERNAL_ERROR} & set(found.values()), vre
        return True


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "provider").mkdir()
    with (
        provider.running(folder / "provider") as registry,
        operating(cluster, registry, folder, _PATIENT, kept=True) as site,
    ):
        yield site


def test_whatever_is_wished_for_is_served(http: Api, site: Site) -> None:
    """One wish after the other in a few namespaces at once, beside a tenant that stands."""
    if site.get(names.SITE_PLURAL, "site"):
        site.kubectl("delete", names.SITE_PLURAL, "site")
    site.make("calm")
    site.settled("calm")
    before = _standing(http, "calm")
    strangers = [Stranger(http, f"odd{number}") for number in range(_AT_ONCE)]
    for stranger in strangers:
        http.create("Namespace", "", stranger.namespace)
    identity = {"issuer": site.registry.issuer, "provider": "generic-dcr"}
    turn = 0

    def wish(anywhere: Json, here: Json) -> None:
        nonlocal turn
        stranger = strangers[turn % _AT_ONCE]
        eventually(stranger.heard)
        # At a provider that answers, and under a name that nobody else has, a plan gets further.
        here["hostname"] = f"{stranger.namespace}.example.org"
        elsewhere = turn // _AT_ONCE % 8 == 0
        stranger.wish(anywhere if elsewhere else here, end=elsewhere)
        turn += 1
        if turn % 200 == 0:
            print(f"{turn}: {dict(sum((one.reasons for one in strangers), Counter()))}", flush=True)

    drawn(wish, wishes(), wishes(identity=identity))
    for stranger in strangers:
        eventually(stranger.heard)
        http.delete(names.KIND, stranger.namespace, "vre")
    eventually(lambda: [one.namespace for one in strangers if one.vre], lambda left: not left)
    told = sum((stranger.reasons for stranger in strangers), Counter())
    admitted = sum(stranger.wishes for stranger in strangers)
    refused = sum((stranger.refused for stranger in strangers), Counter())
    print(f"{admitted} admitted, {refused.total()} refused; {told}; {refused.most_common(20)}")
    assert admitted > EXAMPLES // 4
    assert _standing(http, "calm") == before
    assert [uri for client in site.registry.clients() for uri in client["redirect_uris"]] == [
        "https://calm.example.org/hub/oauth_callback"
    ]
    http.delete("Service", "calm", "hub")
    eventually(lambda: http.get("Service", "calm", "hub"))
    # The next module's tests may count what an operator asks for.
    http.delete(names.KIND, "calm", "vre")
    eventually(lambda: http.get(names.KIND, "calm", "vre") is None)
    assert [line for line in site.operator.log if "traceback" in line] == []


_STRICT = {"fieldValidation": "Strict"}


def _wish(http: Api, path: str, spec: Json) -> None:
    """Another spec in the place of the former one. Raises Refused."""
    patch = [{"op": "add", "path": "/spec", "value": spec}]
    http.ask("PATCH", path, patch, "application/json-patch+json", **_STRICT)


def _lasting(first: Json, spec: Json) -> Json:
    """`spec` with what cannot be changed later as it was at first."""
    kept: Json = {part: first[part] for part in ("identity", "database") if part in first}
    homes = first.get("storage", {}).get("homes")
    others = {part: value for part, value in spec.get("storage", {}).items() if part != "homes"}
    rest = {part: value for part, value in spec.items() if part not in ("database", "storage")}
    return {**rest, **kept, "storage": {**others, **({"homes": homes} if homes else {})}} if first else spec


def _words(refused: Refused) -> str:
    """Without what was said there."""
    return str(refused).partition("spec.")[2][:80]


def _worded(refused: Refused) -> None:
    assert refused.code < 500, refused
    assert not any(word in str(refused) for word in _ERRORS), refused


def _standing(http: Api, tenant: str) -> dict[str, Any]:
    """What is there of a tenant, and who it is."""
    return {
        f"{kind} {obj['metadata']['name']}": (obj["metadata"]["uid"], essence({"kind": kind, **obj}))
        for kind in KINDS
        if kind not in (*_PASSING, "Namespace")
        for namespace in (tenant, f"{tenant}-notebooks", f"{tenant}-workflows")
        for obj in http.ask("GET", collection(kind, namespace))["items"]
    }


def _defaulted(tenant: dict[str, Any]) -> dict[str, Any]:
    """The wish with its defaults: a refusal does not give it back."""
    spec: dict[str, Any] = load(tenant).model_dump(mode="json", by_alias=True, exclude_none=True)
    return spec
