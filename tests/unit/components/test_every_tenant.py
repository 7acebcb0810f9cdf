"""What holds for everything that any component renders, for any wish and any site."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.components.printing import to_yaml
from tests.unit.components.scenarios import ISSUER, SCENARIOS, environment
from vre_operator.api import names
from vre_operator.api.v1alpha1 import Exposure, Gateway, ProviderKind, VREEnvironmentSpec
from vre_operator.components import exposure, ids, quantity, registry, workloads
from vre_operator.components.context import Environment
from vre_operator.components.naming import database_name
from vre_operator.engine.plan import make_plan
from vre_operator.engine.refs import printable, resolve
from vre_operator.engine.resources import KUBERNETES, Policy, Resource, Tenant

KINDS = {
    "v1/ConfigMap",
    "v1/LimitRange",
    "v1/Namespace",
    "v1/PersistentVolumeClaim",
    "v1/ResourceQuota",
    "v1/Secret",
    "v1/Service",
    "v1/ServiceAccount",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "apps/v1/DaemonSet",
    "batch/v1/CronJob",
    "batch/v1/Job",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "networking.k8s.io/v1/Ingress",
    "networking.k8s.io/v1/NetworkPolicy",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "vre.science/Sessions",
    "vre.science/Runs",
}
READ_ONLY_KINDS = {
    "gateway.networking.k8s.io/v1/Gateway",
    "networking.k8s.io/v1/IngressClass",
    "storage.k8s.io/v1/StorageClass",
}

# Images that start as root, with what they cannot do without. Their namespace enforces `baseline` for them.
_REANA = (ids.REANA_SERVER, ids.REANA_CONTROLLER, ids.REANA_DATABASE, ids.REANA_CARE, ids.REANA_CLOSING)
ROOT = {
    ids.RUCIO: {"CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"},
    **{name: {"CHOWN", "DAC_OVERRIDE", "FOWNER"} for name in _REANA},
}
# Images of other people's, tried as they are.
WRITABLE = {*ROOT, "image-check"}
# Who speaks to the API server.
TOKENS = {ids.HUB, ids.REANA_SERVER, ids.REANA_CONTROLLER, ids.REANA_CLOSING}

labels = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
namespaces = st.from_regex(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?", fullmatch=True)
sizes = st.sampled_from(["512Mi", "1Gi", "1.5Gi", "10G"])


def present(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any part of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


named = st.fixed_dictionaries({"name": labels})
shares = st.lists(
    st.one_of(
        st.builds(
            lambda one, volume: one | {"volume": volume}, named, present(size=sizes, storageClass=labels)
        ),
        st.builds(lambda one, claim: one | {"claim": {"name": f"of-{claim}"}}, named, labels),
        st.builds(lambda one: one | {"mountPath": f"/cvmfs/{one['name']}", "cvmfs": {}}, named),
    ),
    max_size=4,
    unique_by=lambda one: one["name"],
)
specs = st.fixed_dictionaries(
    {
        "hostname": st.just("vre.example.org"),
        "identity": st.fixed_dictionaries(
            {
                "issuer": st.sampled_from([ISSUER, "https://login.example.org:8443/realms/vre"]),
                "provider": st.sampled_from([kind.value for kind in ProviderKind]),
                "credentialsSecret": st.just({"name": "login"}),
                "allowAll": st.just(True),
            }
        ),
    },
    optional={
        "storage": present(
            homes=st.one_of(
                present(size=sizes, storageClass=labels, volume=present(size=sizes, storageClass=labels)),
                st.builds(lambda claim: {"claim": {"name": f"of-{claim}"}}, labels),
            ),
            shares=shares,
            s3=st.just(
                [
                    {
                        "name": "store",
                        "endpoint": "https://s3.example.org",
                        "credentialsSecret": {"name": "store"},
                    }
                ]
            ),
        ),
        "catalogue": present(
            pullSecrets=st.lists(named, max_size=2, unique_by=lambda one: one["name"]),
            entries=st.just([{"name": "base", "image": "example.org/base:1", "prePull": True}]),
        ),
        "notebooks": present(
            enabled=st.booleans(),
            probe=present(enabled=st.booleans()),
            maxSessions=st.integers(1, 10_000),
            resources=st.sampled_from(
                [{}, {"cpuGuarantee": 0}, {"cpuGuarantee": 0.05, "cpuLimit": 0.3}, {"memoryLimit": "1.5Gi"}]
            ),
        ),
        "dataLake": present(
            enabled=st.booleans(),
            hostname=st.just("rucio.example.org"),
            clientSecret=st.just({"name": "lake-login"}),
            daemons=present(groups=st.just(["Rules", "Transfers", "Deletion"])),
            people=present(quotas=st.just([{"group": "power", "size": "1Ti"}])),
            transfers=present(fts=st.just("https://fts.example.org:8446")),
            storage=st.sampled_from(
                [
                    [{"name": "A-DISK", "hostname": "a.example.org"}],
                    [
                        {"name": "B", "hostname": "b.example.org", "storageClass": "fast", "size": "1.5Gi"},
                        {"name": "C", "hostname": "c.example.org"},
                    ],
                ]
            ),
        ),
        "workflows": st.one_of(
            st.just({}),
            st.builds(
                lambda more: {"enabled": True, "hostname": "reana.example.org"} | more,
                present(
                    generation=st.sampled_from(["0.9", "0.95"]),
                    engines=st.just(["Serial"]),
                    clientSecret=st.just({"name": "reana-login"}),
                    volume=present(size=sizes, storageClass=labels),
                    quotas=sizes.map(lambda size: [{"cpuHours": 10, "disk": size}]),
                    backends=present(
                        slurm=st.just({"host": "login.example.org", "partition": "short"}),
                        compute4punch=st.just({}),
                    ),
                    kerberos=st.just({"realms": [{"name": "CERN.CH", "kdcs": ["kdc.example.org"]}]}),
                    onlyVetted=st.booleans(),
                    vettedImages=st.just(["example.org/root:6"]),
                    probe=present(enabled=st.booleans()),
                ),
            ),
        ),
        "database": st.one_of(
            present(embedded=present(size=sizes, storageClass=labels)),
            st.just({"external": {"secret": {"name": "postgres-admin"}}}),
        ),
        "page": present(
            enabled=st.booleans(),
            title=st.text(max_size=60),
            message=st.text(max_size=300),
            links=st.just([{"title": "Help", "url": "mailto:help@example.org"}]),
        ),
        "exposure": st.one_of(
            present(
                ingressClass=labels,
                tls=st.one_of(
                    st.just({}),
                    st.just({"secret": {"name": "certificate"}}),
                    st.just({"certManager": {"issuer": "letsencrypt"}}),
                ),
            ),
            st.builds(
                lambda name, more: {"gateway": {"name": name, "namespace": "the-sites"} | more},
                labels,
                present(sectionName=labels),
            ),
        ),
        "suspend": st.booleans(),
    },
)
sites = present(
    imagePullPolicy=st.sampled_from(["Always", "IfNotPresent"]),
    imagePullSecrets=st.lists(labels, max_size=2),
    ingressNamespace=labels,
    gatewayNamespace=labels,
    caBundle=st.just("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
)
environments = st.builds(
    lambda spec, site, namespace: environment(spec, site, Tenant(namespace, "any", "uid", "cluster")),
    specs,
    sites,
    namespaces,
)

quick = settings(max_examples=50, deadline=None)


def for_any_environment(test: Callable[[Environment], None]) -> Callable[[], None]:
    return quick(given(environments)(test))


def templates(env: Environment) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    for resource in registry.render(env):
        if template := printable(resource.body).get("spec", {}).get("template"):
            yield resource, template


def containers(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]


@for_any_environment
def test_it_is_a_plan_the_same_each_time(env: Environment) -> None:
    resources = registry.render(env)
    make_plan(resources)  # unique ids, known needs, no circle
    assert to_yaml(resources) == to_yaml(registry.render(env))
    assert {resource.component for resource in resources} <= registry.CONDITIONS.keys()


@for_any_environment
def test_defaults_that_the_api_server_writes_change_nothing(env: Environment) -> None:
    """Else `vre render` shows another digest than the operator's, and a default's change of form rolls pods."""
    stored = env.spec.model_dump_json(by_alias=True, exclude_none=True)
    again = Environment(env.tenant, VREEnvironmentSpec.model_validate_json(stored), env.site)
    assert to_yaml(registry.render(again)) == to_yaml(registry.render(env))


@for_any_environment
def test_everything_is_of_a_known_kind_in_the_tenants_namespaces_and_has_a_fitting_name(
    env: Environment,
) -> None:
    tenant = env.tenant
    own = {tenant.namespace, tenant.notebooks_namespace, tenant.workflows_namespace}
    for resource in registry.render(env):
        if resource.id.target != KUBERNETES:
            continue
        external = resource.policy is Policy.EXTERNAL
        assert resource.id.kind in (KINDS | READ_ONLY_KINDS if external else KINDS), resource.id
        assert len(resource.id.name) <= 63
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", resource.id.name)
        cluster_scoped = resource.id.kind == "v1/Namespace" or resource.id.kind in READ_ONLY_KINDS
        assert (resource.id.namespace in own) != cluster_scoped, resource.id
        if resource.id.kind == "v1/Namespace":
            assert resource.id.name in own
        assert not {"apiVersion", "kind", "status"} & resource.body.keys()


@for_any_environment
def test_each_hostname_is_exposed_once_by_an_ingress_or_a_route_with_the_same_paths(env: Environment) -> None:
    def exposed(env: Environment) -> list[tuple[Any, ...]]:
        found = []
        for resource in registry.render(env):
            spec = printable(resource.body).get("spec", {})
            if resource.id.kind == exposure.INGRESS:
                (rule,) = spec["rules"]
                paths = [(one["path"], one["backend"]["service"]["name"]) for one in rule["http"]["paths"]]
                found.append((resource.id.namespace, rule["host"], paths))
            if resource.id.kind == exposure.ROUTE:
                rules = [
                    (one["matches"][0]["path"]["value"], one["backendRefs"][0]["name"]) for one in spec["rules"]
                ]
                found.append((resource.id.namespace, *spec["hostnames"], rules))
        return found

    def with_gateway(gateway: Gateway | None) -> Environment:
        spec = env.spec.model_copy(update={"exposure": Exposure(gateway=gateway)})
        return Environment(env.tenant, spec, env.site)

    found = exposed(env)
    assert len({hostname for _, hostname, _ in found}) == len(found)
    routed = with_gateway(Gateway(name="public", namespace="the-sites"))
    assert found == exposed(with_gateway(None)) == exposed(routed)
    kinds = {one.id.kind for one in registry.render(env)} & {exposure.INGRESS, exposure.ROUTE}
    wanted = exposure.ROUTE if env.spec.exposure.gateway else exposure.INGRESS
    assert kinds == ({wanted} if found else set())


@for_any_environment
def test_every_pod_is_fit_for_its_namespace(env: Environment) -> None:
    for resource, template in templates(env):
        spec = template["spec"]
        name = template["metadata"]["labels"][workloads.NAME_LABEL]
        assert not {"hostNetwork", "hostPID", "hostIPC", "priorityClassName"} & spec.keys()
        assert not [volume for volume in spec.get("volumes", []) if "hostPath" in volume]
        assert spec["enableServiceLinks"] is False
        assert spec["automountServiceAccountToken"] is (name in TOKENS)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["securityContext"]["runAsNonRoot"] is (name not in ROOT)
        assert name not in ROOT or resource.id.namespace in (env.namespace, env.workflows)
        starting = spec.get("initContainers", [])
        for container in containers(template):
            resources, security = container["resources"], container["securityContext"]
            assert {"cpu", "memory"} <= resources["requests"].keys() & resources["limits"].keys()
            assert security["allowPrivilegeEscalation"] is False
            assert not security.get("privileged")
            assert security["capabilities"]["drop"] == ["ALL"]
            needed = set() if container in starting else ROOT.get(name, set())
            assert set(security["capabilities"].get("add", [])) == needed
            assert security["readOnlyRootFilesystem"] or name in WRITABLE
            assert not [port for port in container.get("ports", []) if "hostPort" in port]
            assert container["imagePullPolicy"] == env.site.image_pull_policy


@for_any_environment
def test_every_pod_is_found_by_its_labels_and_closed_in_before_it_starts(env: Environment) -> None:
    for resource, template in templates(env):
        found = template["metadata"]["labels"]
        assert found[names.TENANT_LABEL] == env.namespace
        assert all(len(value) <= 63 for value in found.values())
        if selector := resource.body["spec"].get("selector"):
            assert selector["matchLabels"].items() <= found.items()
        assert ids.default_deny(env, resource.id.namespace) in resource.needs


@for_any_environment
def test_nothing_runs_while_suspended_and_all_else_stays(env: Environment) -> None:
    awake = env.spec.model_copy(update={"suspend": False})
    asleep = env.spec.model_copy(update={"suspend": True})
    before = registry.render(Environment(env.tenant, awake, env.site))
    after = registry.render(Environment(env.tenant, asleep, env.site))
    # A DaemonSet has no replicas to be set to none.
    staying = [resource.id for resource in before if resource.id.kind != "apps/v1/DaemonSet"]
    assert staying == [resource.id for resource in after]
    for resource in after:
        spec = resource.body.get("spec", {})
        if resource.id.kind in ("apps/v1/Deployment", "apps/v1/StatefulSet"):
            assert spec["replicas"] == 0
        if resource.id.kind in ("batch/v1/Job", "batch/v1/CronJob"):
            assert spec["suspend"] is True
        if resource.id.kind in ("vre.science/Sessions", "vre.science/Runs"):
            assert resource.body["running"] is False


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_is_handed_to_a_target_is_json(name: str) -> None:
    for resource in registry.render(environment(*SCENARIOS[name])):
        json.dumps(resolve(resource.body, str, str, parse=str))


@for_any_environment
def test_data_and_what_unlocks_it_is_retained(env: Environment) -> None:
    for resource in registry.render(env):
        if resource.policy is Policy.EXTERNAL:
            continue
        claim = resource.id.kind == "v1/PersistentVolumeClaim"
        holds_data = claim and resource.body["spec"]["accessModes"] != ["ReadOnlyMany"]
        assert (resource.policy is Policy.RETAIN) == (holds_data or bool(resource.generate)), resource.id


@for_any_environment
def test_volumes_are_asked_for_in_the_spelling_that_the_api_server_stores(env: Environment) -> None:
    """Else a restarted operator takes what stands for something else, and writes it again."""
    for resource in registry.render(env):
        if resource.id.kind == "v1/PersistentVolumeClaim" and resource.policy is not Policy.EXTERNAL:
            asked = resource.body["spec"]["resources"]["requests"]["storage"]
            assert asked == quantity.size(asked), resource.id


@quick
@given(namespaces, namespaces)
def test_databases_on_a_shared_server_differ_between_tenants(one: str, other: str) -> None:
    def database(namespace: str, role: str, cluster: str = "cluster") -> str:
        spec = {
            "hostname": "vre.example.org",
            "identity": {"issuer": ISSUER, "credentialsSecret": {"name": "login"}, "allowAll": True},
            "database": {"external": {"secret": {"name": "admin"}}},
        }
        return database_name(environment(spec, None, Tenant(namespace, "any", "uid", cluster)), role)

    found = {database(namespace, role) for namespace in {one, other} for role in ("hub", "rucio")}
    assert len(found) == 2 * len({one, other})
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) for name in found)
    assert database(one, "hub") != database(one, "hub", "another cluster")
