"""What a site gives where a tenant names nothing: what stays, what follows, who never gets its credential."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.unit.components.scenarios import FULL
from tests.unit.runtime.sites import DEFAULTS, EVIL, IDENTITY, ISSUER, SHORT, site
from vre_operator.api.site import Site
from vre_operator.api.validate import SpecError, load_vresite
from vre_operator.api.vresite import VRESiteSpec
from vre_operator.components.context import Environment, kube
from vre_operator.components.exposure import ROUTE
from vre_operator.components.registry import render
from vre_operator.engine.errors import Invalid
from vre_operator.engine.plan import Plan, PlanError
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Policy, Resource, Tenant
from vre_operator.runtime.defaults import Wish, effective
from vre_operator.runtime.plans import planned, wanted
from vre_operator.targets.kubernetes.manifest import CLAIM, check_bounds

Json = dict[str, Any]

SECRET = kube("v1/Secret", "vre-system", "registration")


def defaults(**more: Any) -> VRESiteSpec:
    return load_vresite(site(**(DEFAULTS | more)))


def wish(spec: Json, held: Json | None = None, given: VRESiteSpec | None = None, inventory: Any = ()) -> Wish:
    kept = [{"field": field, "value": value} for field, value in (held or {}).items()]
    obj = {
        "metadata": {"namespace": "atlas", "name": "vre", "uid": "u1", "generation": 1},
        "spec": spec,
        "status": {"defaults": kept, "inventory": list(inventory)},
    }
    before = deepcopy(obj)
    found = effective(given or defaults(), obj, "vre-system")
    assert obj == before, "what is in the cache is not changed"
    return found


def plan_of(found: Wish) -> Plan:
    tenant = Tenant("atlas", "vre", "u1", "c", lent=found.lent)
    return planned(render, Environment(tenant, wanted(found), Site()))


def test_the_smallest_wish_is_whole() -> None:
    spec = wanted(wish(SHORT))
    assert spec.hostname == "atlas.vre.example.org"
    assert (spec.identity.issuer, spec.identity.provider) == (ISSUER, "keycloak-admin")
    assert spec.identity.credentials_secret is None, "it is in no spec"
    assert spec.identity.scopes[-1] == "entitlements"
    assert spec.exposure.ingress_class == "traefik"
    assert spec.exposure.tls.cert_manager
    assert spec.exposure.tls.cert_manager.issuer == "letsencrypt"
    assert (spec.storage.homes.storage_class, spec.database.embedded.storage_class) == ("cephfs", "fast")
    assert spec.data_lake.hostname is None, "a lake for sessions alone stays one"


def test_what_a_tenant_names_is_its_own() -> None:
    named = FULL | {"exposure": {"ingressClass": "own", "tls": {"secret": {"name": "own"}}}}
    spec = wanted(wish(named))
    assert spec.hostname == "ocean.example.org"
    assert spec.exposure.ingress_class == "own"
    assert spec.exposure.tls.cert_manager is None
    assert spec.storage.homes.storage_class == "fast"
    assert spec.storage.shares[0].volume
    assert spec.storage.shares[0].volume.storage_class == "cephfs"
    assert wish(named).lent is None


GATEWAY: Json = {"name": "public", "namespace": "infra", "sectionName": "https"}


def test_a_gateway_of_the_sites_is_given_whole() -> None:
    spec = wanted(wish(SHORT, given=defaults(exposure={"gateway": GATEWAY})))
    assert spec.exposure.model_dump(by_alias=True, exclude_none=True) == {"gateway": GATEWAY, "tls": {}}
    own = SHORT | {"exposure": {"gateway": GATEWAY | {"name": "inner"}, "tls": {}}}
    for site_has in ({"gateway": GATEWAY}, DEFAULTS["exposure"]):
        found = wanted(wish(own, given=defaults(exposure=site_has))).exposure
        assert found.gateway
        assert (found.gateway.name, found.ingress_class, found.tls.cert_manager) == ("inner", None, None)


@pytest.mark.parametrize(
    "own",
    [
        {"ingressClass": "own"},
        {"tls": {"secret": {"name": "own"}}},
        {"tls": {"certManager": {"issuer": "own"}}},
    ],
)
def test_who_names_what_an_ingress_has_keeps_its_ingress(own: Json) -> None:
    """And is not refused on the day on which the site takes a Gateway."""
    found = wish(SHORT | {"exposure": own}, given=defaults(exposure={"gateway": GATEWAY}))
    assert wanted(found).exposure.gateway is None
    assert "spec.exposure.gateway" not in found.given


def test_a_site_gives_a_gateway_or_what_an_ingress_has() -> None:
    for beside in ({"ingressClass": "nginx"}, {"tls": {"certManager": {"issuer": "letsencrypt"}}}):
        with pytest.raises(SpecError, match=r"excludes exposure\.gateway"):
            defaults(exposure={"gateway": GATEWAY} | beside)


def test_without_a_site_nothing_is_given() -> None:
    obj = {"metadata": {"namespace": "atlas", "name": "vre"}, "spec": SHORT}
    found = effective(None, obj, "vre-system")
    assert (found.obj, found.given, found.kept) == (obj, {}, ())
    with pytest.raises(SpecError) as caught:
        wanted(found)
    assert {one.path for one in caught.value.problems} == {"spec.identity.issuer", "spec.hostname"}
    assert "spec.defaults.domain of the VRESite" in str(caught.value)


def test_workflows_get_a_name_below_the_sites_domain() -> None:
    own = SHORT | {"hostname": "atlas.example.com", "workflows": {"enabled": True}}
    assert wanted(wish(own)).workflows.hostname == "reana.atlas.vre.example.org"
    assert wanted(wish(SHORT)).workflows.hostname is None


# --- what stays ---------------------------------------------------------------------------------------------


def kept(found: Wish) -> Json:
    return {one["field"]: one["value"] for one in found.kept}


def test_names_issuer_and_volumes_stay_and_the_rest_follows() -> None:
    first = wish(SHORT)
    other = defaults(
        domain="{namespace}.other.org",
        exposure={"ingressClass": "envoy"},
        storageClasses={"homes": "nfs", "database": "slow"},
    )
    spec = wanted(wish(SHORT, kept(first), other))
    assert spec.hostname == "atlas.vre.example.org"
    assert spec.database.embedded.storage_class == "fast"
    assert spec.exposure.ingress_class == "envoy"
    assert spec.exposure.tls.cert_manager is None
    assert spec.storage.homes.storage_class == "nfs", "of homes to come"
    bare = wanted(wish(SHORT, kept(first), defaults(domain=None, storageClasses={})))
    assert (bare.hostname, bare.database.embedded.storage_class) == ("atlas.vre.example.org", "fast")


def test_a_volume_from_before_the_default_keeps_the_clusters_class() -> None:
    """Which cannot be changed, so an apply would be refused for ever."""
    spec = SHORT | {"storage": {"shares": [{"name": "data", "volume": {"size": "1Gi"}}]}}
    there = ["1 Retain kubernetes:v1/PersistentVolumeClaim:atlas:database"]
    found = wish(spec, inventory=there)
    assert wanted(found).database.embedded.storage_class is None
    assert kept(found)["spec.storage.shares[data].volume.storageClass"] == "large"
    assert "spec.database.embedded.storageClass" not in kept(found)


def test_an_item_is_known_by_its_name() -> None:
    shares = [{"name": name, "volume": {"size": "1Gi"}} for name in ("new", "data")]
    held = {"spec.storage.shares[data].volume.storageClass": "old"}
    first, second = wanted(wish(SHORT | {"storage": {"shares": shares}}, held)).storage.shares
    assert first.volume
    assert second.volume
    assert (first.volume.storage_class, second.volume.storage_class) == ("large", "old")


def test_each_volume_is_looked_for_where_it_is_made() -> None:
    """A volume whose claim had another name here would get a class after it was made."""
    spec: Json = SHORT | {
        "hostname": "atlas.example.org",
        "storage": {
            "homes": {"volume": {"size": "1Ti"}},
            "shares": [{"name": "data", "volume": {"size": "1Gi"}}],
        },
        "dataLake": {"enabled": True, "storage": [{"name": "DISK", "hostname": "disk.example.org"}]},
        "workflows": {"enabled": True},
    }
    first = plan_of(wish(spec))
    # Queues have no field, and the class of the cluster.
    claims = [one for one in first.resources if one.id.kind == CLAIM and one.origin]
    assert len(claims) == 5
    assert {one.body["spec"]["storageClassName"] for one in claims} == {"cephfs", "fast", "large"}
    there = [f"1 Retain {one.id}" for one in claims]
    again = [one for one in plan_of(wish(spec, inventory=there)).resources if one.id in {c.id for c in claims}]
    assert [one.body["spec"].get("storageClassName") for one in again] == [None] * 5


# --- the site's credential ----------------------------------------------------------------------------------


def uses(plan: Plan) -> set[str]:
    """What holds the site's Secret."""
    return {str(one.id) for one in plan.resources if SECRET in plan.after[one.id]}


def test_the_sites_credential_registers_clients_and_is_read_where_it_lies() -> None:
    plan = plan_of(wish(SHORT | {"dataLake": {"enabled": True, "people": {"enabled": True}}}))
    assert SECRET in plan
    assert uses(plan) == {"oidc:Client::hub", "oidc:Client::rucio", "oidc:People::people"}


NAMED: dict[str, Json] = {
    "an issuer of her own": {"issuer": EVIL, "provider": "generic-dcr"},
    "the site's issuer, by another provider": {"issuer": ISSUER, "provider": "generic-dcr"},
    "an issuer, and a Secret of the site's name": {
        "issuer": EVIL,
        "provider": "keycloak-dcr",
        "credentialsSecret": {"name": "registration"},
    },
    "another provider beside the site's issuer": {"provider": "generic-dcr"},
    "manual beside the site's issuer, to hold the credential as her client": {"provider": "manual"},
    "a Secret of her own beside the site's issuer": {"credentialsSecret": {"name": "mine"}},
    "an empty issuer": {"issuer": ""},
    "an issuer that differs in a slash": {"issuer": f"{ISSUER}/", "provider": "generic-dcr"},
}


@pytest.mark.attack("tenant admin", "the site's registration credential, with")
@pytest.mark.parametrize("attack", NAMED)
def test_the_sites_credential_goes_with_the_sites_issuer_alone(attack: str) -> None:
    found = wish({"hostname": "a.example.org", "identity": {"allowAll": True} | NAMED[attack]})
    assert found.lent is None
    try:
        plan = plan_of(found)
    except SpecError:
        return
    assert SECRET not in plan
    assert not uses(plan)


@pytest.mark.attack("tenant admin", "the site's registration credential, with a forged status")
@pytest.mark.parametrize("value", [EVIL, f"{ISSUER}/", "", ISSUER.upper()])
def test_a_remembered_issuer_gets_no_credential_of_another(value: str) -> None:
    found = wish(SHORT, {"spec.identity.issuer": value})
    assert found.lent is None
    assert found.moved


@pytest.mark.attack("tenant admin", "a scope of another tenant's, by the site's registration")
@pytest.mark.parametrize("scope", ["rucio.cms", "storage.modify:/cms/disk/", "offline_access"])
def test_the_sites_registration_asks_for_the_sites_scopes(scope: str) -> None:
    found = wish({"identity": {"allowAll": True, "scopes": ["openid", scope]}})
    with pytest.raises(
        SpecError, match=r"spec.identity.scopes\[1\]: .* is no scope of the site's registration"
    ):
        plan_of(found)
    fewer = wish({"identity": {"allowAll": True, "scopes": ["openid", "profile"]}})
    assert wanted(fewer).identity.scopes == ("openid", "profile")


HOLDERS: dict[str, Resource] = {
    "a Secret of the tenant's": Resource(
        kube("v1/Secret", "atlas", "copy"),
        "hub",
        {"stringData": {"a": Ref(SECRET, "client_secret")}},
    ),
    "one that can do without": Resource(
        kube("v1/ConfigMap", "atlas", "copy"),
        "hub",
        {"data": {"a": Ref(SECRET, "client_secret", otherwise="")}},
    ),
}


@pytest.mark.attack("tenant admin", "the site's registration credential, by a component's mistake")
@pytest.mark.parametrize("holder", HOLDERS)
def test_nothing_of_the_tenants_may_hold_what_the_site_lends(holder: str) -> None:
    found = wish(SHORT)
    env = Environment(Tenant("atlas", "vre", "u1", "c", lent=SECRET), wanted(found), Site())
    with pytest.raises(PlanError, match="lends for its provider alone"):
        planned(lambda env: [*render(env), HOLDERS[holder]], env)


@pytest.mark.attack("tenant admin", "the operator's namespace, by the door to what the site lends")
@pytest.mark.parametrize(
    ("resource", "policy"),
    [
        (SECRET, Policy.DELETE),
        (SECRET, Policy.RETAIN),
        (SECRET, Policy.RELEASE),
        (kube("v1/Secret", "vre-system", "vre-operator-seal"), Policy.EXTERNAL),
        (kube("v1/ConfigMap", "vre-system", "registration"), Policy.EXTERNAL),
        (kube("v1/Secret", "cms", "registration"), Policy.EXTERNAL),
    ],
)
def test_the_door_is_as_wide_as_one_secret_and_to_read(resource: Any, policy: Policy) -> None:
    lent = Tenant("atlas", "vre", "u1", "c", lent=SECRET)
    check_bounds(lent, SECRET, Policy.EXTERNAL)
    with pytest.raises(Invalid):
        check_bounds(lent, resource, policy)
    with pytest.raises(Invalid):
        check_bounds(Tenant("atlas", "vre", "u1", "c"), SECRET, Policy.EXTERNAL)


def test_whether_a_gateway_is_there_may_be_known_and_nothing_be_changed() -> None:
    gateway = kube("gateway.networking.k8s.io/v1/Gateway", "infra", "public")
    tenant = Tenant("atlas", "vre", "u1", "c")
    check_bounds(tenant, gateway, Policy.EXTERNAL)
    for policy in (Policy.DELETE, Policy.RETAIN, Policy.RELEASE):
        with pytest.raises(Invalid):
            check_bounds(tenant, gateway, policy)
    with pytest.raises(Invalid):
        check_bounds(tenant, kube(ROUTE, "infra", "vre"), Policy.EXTERNAL)


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        ({"provider": "manual"}, "each tenant would hold it"),
        ({"credentialsSecret": None}, "is required with this provider"),
        ({"issuer": "https://login.example.org"}, "is not the issuer of a Keycloak realm"),
    ],
)
def test_a_site_lends_no_client_itself(identity: Json, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_vresite(site(identity=IDENTITY | identity))


def test_a_domain_is_not_the_same_for_all() -> None:
    with pytest.raises(SpecError, match=r"spec.defaults.domain: is the same name for all tenants"):
        load_vresite(site(domain="vre.example.org"))
