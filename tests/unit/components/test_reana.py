"""REANA, as rendered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from tests.unit.components.printing import YamlSnapshots, to_yaml
from tests.unit.components.scenarios import QUICKSTART, environment, scenario
from vre_operator.api.site import Reana
from vre_operator.components import exposure, hub, ids, reana
from vre_operator.components.context import Environment
from vre_operator.components.reana.pods import FILES
from vre_operator.engine.refs import Parsed, Ref, all_needs, encode, resolve
from vre_operator.engine.resources import Policy, Resource

WORKFLOWS = {"enabled": True, "hostname": "reana.ocean.example.org"}


def rendered(**workflows: Any) -> dict[str, Resource]:
    """By kind and name."""
    found = reana.render(environment(QUICKSTART | {"workflows": WORKFLOWS | workflows}))
    return {f"{one.id.kind.rpartition('/')[2]} {one.id.name}": one for one in found}


def environment_of(resource: Resource, container: str) -> dict[str, str]:
    (found,) = [
        one for one in resource.body["spec"]["template"]["spec"]["containers"] if one["name"] == container
    ]
    return {one["name"]: one.get("value", "") for one in found["env"]}


@pytest.mark.parametrize("name", ["full", "older-workflows"])
def test_it_renders_as_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    text = to_yaml(reana.render(scenario(name)))
    # The programs are reviewed as files.
    for script, source in FILES.items():
        program = "\n".join("      " + line if line else "" for line in source.splitlines())
        assert program in text
        text = text.replace(program, f"      (files/{script})")
    assert text == snapshot(extension_class=YamlSnapshots)


def test_nothing_when_the_tenant_wants_no_workflows() -> None:
    assert not list(reana.render(environment(QUICKSTART)))


def test_the_namespace_of_workflows_is_one_where_reana_may_run() -> None:
    from vre_operator.components import tenancy

    def level(env: Environment) -> str:
        (found,) = [one for one in tenancy.render(env) if one.id == ids.workflows_namespace(env)]
        return str(found.body["metadata"]["labels"]["pod-security.kubernetes.io/enforce"])

    assert level(environment(QUICKSTART)) == "restricted"
    assert level(environment(QUICKSTART | {"workflows": WORKFLOWS})) == "baseline"


def test_an_engine_s_account_reads_named_secrets_alone() -> None:
    """Without a name the right would be one to all of them."""
    role = rendered()["Role reana-runtime"]
    for rule in role.body["rules"]:
        if "secrets" in rule["resources"]:
            assert rule["verbs"] == ["get"]
            assert isinstance(rule["resourceNames"], Parsed)
            assert rule["resourceNames"].ref.otherwise is None, "it waits until it knows names"
    names = resolve(role.body, lambda _: '["reana-secretsstore-1"]', str)["rules"][-1]["resourceNames"]
    assert names == ["reana-secretsstore-1"]


def test_nothing_is_granted_beyond_the_namespace_of_workflows() -> None:
    for name, resource in rendered().items():
        if name.startswith(("Role", "ServiceAccount")):
            assert resource.id.namespace == "ocean-workflows"
        assert "Cluster" not in resource.id.kind
        if name.startswith("RoleBinding"):
            (subject,) = resource.body["subjects"]
            assert subject["namespace"] == "ocean-workflows"
            assert subject["name"] in ("reana-infrastructure", "reana-runtime")
        if name.startswith("Role "):
            for rule in resource.body["rules"]:
                assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]


def test_what_unlocks_data_is_kept_with_it() -> None:
    kept = {name for name, one in rendered().items() if one.policy is Policy.RETAIN}
    assert kept == {
        "PersistentVolumeClaim reana-message-broker",
        "PersistentVolumeClaim reana-shared-persistent-volume",
        "Secret reana-admin-access-token",
        "Secret reana-cache-secrets",
        "Secret reana-message-broker-secrets",
        "Secret reana-people",
        "Secret reana-secrets",
    }


def test_passwords_of_the_broker_and_the_cache_are_in_files_alone() -> None:
    found = rendered()
    for name in ("StatefulSet reana-message-broker", "Deployment reana-cache"):
        text = json.dumps(resolve(found[name].body, lambda ref: f"<{ref.output}>", str))
        assert "password" not in text
    config = resolve(found["Secret reana-cache-config"].body, lambda ref: f"<{ref.output}>", str)
    assert "user <user> on ><password> ~* &* +@all" in config["stringData"]["redis.conf"]


@pytest.mark.parametrize("secret", ["plain", 'with "quotes" and \\', "ümläut"])
def test_a_client_s_secret_survives_the_list_of_providers(secret: str) -> None:
    found = rendered()["Secret reana-login-provider-secrets"]
    files = resolve(found.body["stringData"], lambda ref: encode(secret, ref.encode), str)
    (name,) = json.loads(files["PROVIDER_SECRETS"])
    assert json.loads(files["PROVIDER_SECRETS"])[name]["consumer_secret"] == secret
    (provider,) = json.loads(files["PROVIDER_CONFIGS"])
    assert (provider["name"], provider["type"]) == (name, "keycloak")
    assert set(provider["config"]) == {
        *("title", "base_url", "realm_url", "auth_url", "token_url", "userinfo_url"),
    }


def by(provider: str, **more: Any) -> dict[str, Resource]:
    """By kind and name, of a tenant whose people the provider is not asked for."""
    identity = QUICKSTART["identity"] | {"provider": provider}
    spec = {"identity": identity, "workflows": WORKFLOWS | more, "dataLake": {}}
    found = reana.render(environment(QUICKSTART | spec))
    return {f"{one.id.kind.rpartition('/')[2]} {one.id.name}": one for one in found}


def test_a_keycloak_tells_its_key_itself_and_of_others_we_do() -> None:
    def realm(provider: str) -> tuple[str, str]:
        found = by(provider)
        body = found["Secret reana-login-provider-secrets"].body
        files = resolve(body["stringData"], lambda ref: encode("x", ref.encode), str)
        (told,) = json.loads(files["PROVIDER_CONFIGS"])
        server = environment_of(found["Deployment reana-server"], "rest-api")
        return told["config"]["realm_url"], server.get("OAUTHLIB_INSECURE_TRANSPORT", "")

    assert realm("keycloak-admin") == (QUICKSTART["identity"]["issuer"], "")
    assert realm("generic-dcr") == ("http://localhost:8081/realm", "1")


def test_by_hand_nobody_logs_in_before_there_is_a_client() -> None:
    assert "Secret reana-login-provider-secrets" not in by("manual")
    found = by("manual")
    assert "VRE_LOGIN" not in environment_of(found["Deployment reana-server"], "rest-api")
    assert "module = invenio_app.wsgi:application" in str(found["ConfigMap uwsgi-config-reana-server"].body)
    there = by("manual", clientSecret={"name": "reana-client"})
    assert "Secret reana-login-provider-secrets" in there


def test_server_and_controller_agree_on_limits() -> None:
    found = rendered(jobs={"memory": "1Gi", "maxMemory": "2Gi"}, quotas=[{"cpuHours": 2, "disk": "1Gi"}])
    server = environment_of(found["Deployment reana-server"], "rest-api")
    controller = environment_of(found["Deployment reana-workflow-controller"], "rest-api")
    shared = {name for name in server.keys() & controller.keys() if "LIMIT" in name}
    assert len(shared) == 6
    assert {name: server[name] for name in shared} == {name: controller[name] for name in shared}
    assert server["REANA_DEFAULT_QUOTA_CPU_LIMIT"] == "7200000"
    assert server["REANA_DEFAULT_QUOTA_DISK_LIMIT"] == "1073741824"


def test_a_change_of_limits_makes_no_database_again() -> None:
    def job(**workflows: Any) -> Any:
        (found,) = [one for name, one in rendered(**workflows).items() if name.startswith("Job ")]
        return to_yaml([found])

    assert job(quotas=[{"cpuHours": 2}]) == job()


def test_vetted_images_are_those_of_the_catalogue_and_the_named_ones() -> None:
    found = rendered(onlyVetted=True, vettedImages=["example.org/root:6"])
    controller = environment_of(found["Deployment reana-workflow-controller"], "rest-api")
    beside = json.loads(
        json.loads(controller["REANA_JOB_CONTROLLER_ENV_VARS"])["REANA_VETTED_CONTAINER_IMAGES"]
    )
    server = environment_of(found["Deployment reana-server"], "rest-api")
    assert json.loads(server["REANA_VETTED_CONTAINER_IMAGES"]) == beside
    assert beside["enabled"] is True
    assert "example.org/root:6" in beside["allowlist"]
    assert len(beside["allowlist"]) == 2


def test_the_pages_configuration_is_yaml() -> None:
    text = rendered()["ConfigMap reana-config"].body["data"]["ui-config.yaml"]
    told = yaml.safe_load(text)
    assert told["access_token_issuance_policy"] == "manual"
    assert told["interactive_sessions"]["environments"]["jupyter"]["allow_custom"] is False


def test_the_operator_asks_only_a_keycloak_for_people() -> None:
    def people(provider: str) -> Any:
        identity = QUICKSTART["identity"] | {"provider": provider}
        spec = {"identity": identity, "workflows": WORKFLOWS, "dataLake": {}}
        (found,) = [one for one in reana.render(environment(QUICKSTART | spec)) if one.id.kind == "People"]
        return found.body["people"]

    assert isinstance(people("keycloak-admin"), Ref)
    assert people("generic-dcr") is None


def test_the_hub_has_its_own_credential_for_people_alone() -> None:
    env = environment(QUICKSTART | {"workflows": WORKFLOWS})
    (found,) = [one for one in hub.render(env) if one.id == ids.hub_ready(env)]
    (volume,) = [one for one in found.body["spec"]["template"]["spec"]["volumes"] if one["name"] == "reana"]
    assert volume["secret"]["items"] == [{"key": "hub", "path": "hub"}]
    assert ids.reana_credentials(env) in all_needs(found)


def test_nothing_of_a_token_is_in_what_sessions_are_made_of() -> None:
    env = environment(QUICKSTART | {"workflows": WORKFLOWS})
    (config,) = [one for one in hub.render(env) if one.id.name == "hub-config"]
    traits = json.loads(config.body["data"]["settings.json"])["traits"]["KubeSpawner"]
    assert not [name for name in traits["environment"] if re.search("TOKEN$|SECRET|PASSWORD", name)]


# --- the probe ----------------------------------------------------------------------------------------------


def test_a_probe_is_there_when_it_is_wanted() -> None:
    assert "CronJob reana-probe" not in rendered()
    found = rendered(probe={"enabled": True, "schedule": "7 * * * *"})["CronJob reana-probe"]
    assert found.component == "workflowProbe"
    assert found.body["spec"]["schedule"] == "7 * * * *"
    (container,) = found.body["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    keys = [one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"] if "valueFrom" in one]
    assert keys == ["probe"]


def test_the_probe_is_known_before_its_first_run() -> None:
    """An engine reads the Secrets of whom the operator has heard of."""
    own = {"probe@reana.invalid": "vre-probe"}
    assert rendered(probe={"enabled": True})["People people"].body["own"] == own
    assert rendered()["People people"].body["own"] == {}
    assert f'PERSON = "vre-probe", "{next(iter(own))}"' in FILES["probe.py"]


def test_the_image_of_the_probe_s_step_is_vetted() -> None:
    def allowed(**workflows: Any) -> list[str]:
        controller = environment_of(rendered(**workflows)["Deployment reana-workflow-controller"], "rest-api")
        told = json.loads(controller["REANA_JOB_CONTROLLER_ENV_VARS"])["REANA_VETTED_CONTAINER_IMAGES"]
        return list(json.loads(told)["allowlist"])

    probe = {"enabled": True}
    assert [one for one in allowed(onlyVetted=True, probe=probe) if "reana-server" in one]
    assert not [one for one in allowed(onlyVetted=True) if "reana-server" in one]
    assert allowed(probe=probe) == []


# --- batch systems ------------------------------------------------------------------------------------------

PUNCH = {"compute4punch": {"host": "punch.example.org", "port": 2222}}
SLURM = {"slurm": {"host": "login.example.org", "partition": "short", "minutes": 90}}


def test_nothing_of_batch_systems_where_none_is_declared() -> None:
    found = rendered()
    assert "CronJob reana-backends" not in found
    server = environment_of(found["Deployment reana-server"], "rest-api")
    assert server["REANA_COMPUTE_BACKENDS"] == '["kubernetes"]'
    controller = environment_of(found["Deployment reana-workflow-controller"], "rest-api")
    assert controller["VRE_BACKENDS"] == ""
    assert "htcondor" not in controller["REANA_JOB_CONTROLLER_IMAGE"]


def test_all_that_has_to_agree_on_batch_systems_does() -> None:
    found = rendered(backends=PUNCH | SLURM)
    server = environment_of(found["Deployment reana-server"], "rest-api")
    controller = environment_of(found["Deployment reana-workflow-controller"], "rest-api")
    beside = json.loads(controller["REANA_JOB_CONTROLLER_ENV_VARS"])
    names = ["kubernetes", "slurmcern", "compute4punch"]
    assert json.loads(server["REANA_COMPUTE_BACKENDS"]) == names
    assert beside["COMPUTE_BACKENDS"].split(",") == names
    assert controller["VRE_BACKENDS"].split() == names[1:]
    assert (beside["SLURM_HOSTNAME"], beside["SLURM_PARTITION"]) == ("login.example.org", "short")
    assert (beside["SLURM_JOB_TIMELIMIT"], beside["C4P_LOGIN_NODE_PORT"]) == ("90", "2222")
    look = found["CronJob reana-backends"]
    assert look.component == "workflowBackends"
    (container,) = look.body["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == controller["REANA_JOB_CONTROLLER_IMAGE"]
    assert container["image"].startswith("docker.io/reanahub/reana-job-controller-htcondorcern-slurmcern:")
    (shared,) = [one for one in container["volumeMounts"] if one["name"] == "shared"]
    seen_by_the_gate = controller["VRE_STATES"].replace(f"/var/reana/{shared['subPath']}", shared["mountPath"])
    assert "env" not in container, "it knows no password"
    assert container["command"][2:] == [
        seen_by_the_gate,
        "slurmcern=login.example.org:22",
        "compute4punch=punch.example.org:2222",
    ]


# --- Kerberos -----------------------------------------------------------------------------------------------

CERN = {"name": "CERN.CH", "kdcs": ["b.example.org", "a.example.org"], "domains": ["cern.ch"]}


def krb5_conf(**workflows: Any) -> str:
    return str(rendered(**workflows)["ConfigMap reana-krb5-conf"].body["data"]["krb5.conf"])


def test_what_kerberos_knows_is_what_is_declared() -> None:
    text = krb5_conf(kerberos={"realms": [{"name": "EXAMPLE.ORG", "kdcs": ["kdc.example.org"]}, CERN]})
    assert (
        text.partition("[realms]")[2]
        == """
    EXAMPLE.ORG = {
        kdc = kdc.example.org:88
    }
    CERN.CH = {
        kdc = b.example.org:88
        kdc = a.example.org:88
    }

[domain_realm]
    .cern.ch = CERN.CH
    cern.ch = CERN.CH
"""
    )
    assert "default_realm = CERN.CH" in text
    for asked in ("dns_lookup_realm", "dns_lookup_kdc"):
        assert f"{asked} = false" in text
    assert "weak" not in text, "no old ciphers"


def test_a_step_that_slips_by_finds_a_file_without_realms() -> None:
    """It would wait for its volume otherwise, and nobody be told."""
    text = krb5_conf()
    assert "dns_lookup_kdc = false" in text
    assert "[realms]" not in text


@pytest.mark.parametrize(("generation", "tag"), [("0.9", "1.0.1"), ("0.95", "1.0.3")])
def test_all_that_has_to_agree_on_kerberos_does(generation: str, tag: str) -> None:
    found = rendered(generation=generation, kerberos={"realms": [CERN]})
    controller = environment_of(found["Deployment reana-workflow-controller"], "rest-api")
    beside = json.loads(controller["REANA_JOB_CONTROLLER_ENV_VARS"])
    image = f"docker.io/reanahub/reana-auth-krb5:{tag}"
    assert (controller["KRB5_CONTAINER_IMAGE"], beside["KRB5_CONTAINER_IMAGE"]) == (image, image)
    assert controller["VRE_KERBEROS"] == "1"
    off = environment_of(rendered(generation=generation)["Deployment reana-workflow-controller"], "rest-api")
    assert "VRE_KERBEROS" not in off
    assert off["KRB5_CONTAINER_IMAGE"] == image


def test_a_site_without_an_image_for_kerberos_has_reana_s_own() -> None:
    site = {"images": {"reana": Reana().model_dump(by_alias=True)}}
    site["images"]["reana"]["v095"]["kerberos"] = ""
    made = reana.render(environment(QUICKSTART | {"workflows": WORKFLOWS}, site))
    assert not [one for one in made if "KRB5_CONTAINER_IMAGE" in json.dumps(one.body, default=str)]


def test_the_door_knows_who_may_come_in() -> None:
    server = environment_of(rendered()["Deployment reana-server"], "rest-api")
    name = server["VRE_LOGIN"].removeprefix("/var/reana/config/")
    assert json.loads(rendered()["ConfigMap reana-config"].body["data"][name]) == {
        "claim": "groups",
        "groups": sorted(QUICKSTART["identity"]["allowedGroups"]),
    }
    assert "module = door:application" in str(rendered()["ConfigMap uwsgi-config-reana-server"].body)


# --- pages and CVMFS ----------------------------------------------------------------------------------------


def test_a_site_without_an_image_of_the_pages_serves_none() -> None:
    images = {"reana": {"v095": Reana().v0_95.model_dump(by_alias=True) | {"ui": ""}}}
    env = environment(QUICKSTART | {"workflows": WORKFLOWS}, {"images": images})
    assert "reana-ui" not in {one.id.name for one in reana.render(env)}
    (ingress,) = [one for one in exposure.render(env) if one.id.name == "reana"]
    assert [one["path"] for one in ingress.body["spec"]["rules"][0]["http"]["paths"]] == ["/api", "/oauth"]


def test_jobs_have_cvmfs_where_everybody_s_sessions_do() -> None:
    def found(*shares: dict[str, Any]) -> tuple[bool, str]:
        spec = QUICKSTART | {"workflows": WORKFLOWS, "storage": {"shares": list(shares)}}
        made = {one.id.name: one for one in reana.render(environment(spec))}
        server = environment_of(made["reana-workflow-controller"], "rest-api")
        return "reana-cvmfs" in made, server.get("VRE_CVMFS", "")

    assert found({"name": "software", "cvmfs": {}}) == (True, "1")
    assert found({"name": "software", "cvmfs": {}, "allowedGroups": ["/deep"]}) == (False, "")
    assert found() == (False, "")


def test_behind_a_gateway_no_session_is_offered_that_nobody_could_open() -> None:
    wish = QUICKSTART | {"workflows": WORKFLOWS}
    for more, offered in (({}, 1), ({"exposure": {"gateway": {"name": "a", "namespace": "b"}}}, 0)):
        made = {one.id.name: one for one in reana.render(environment(wish | more))}
        told = environment_of(made["reana-workflow-controller"], "rest-api")
        sessions = json.loads(told["REANA_INTERACTIVE_SESSIONS_ENVIRONMENTS"])["jupyter"]
        assert (len(sessions["recommended"]), sessions["allow_custom"]) == (offered, False)
