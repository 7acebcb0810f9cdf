"""REANA itself: the server with its scheduler, and the controller with the consumer of what jobs report.

There is one of each, and never two: scheduler and consumer elect nobody (contracts/reana.md section 6). Beside
the server runs a program of ours, by which operator and hub reach REANA's people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment
from vre_operator.components.package import config_map
from vre_operator.components.reana import backends, kerberos, pods, settings
from vre_operator.components.reana.settings import Names
from vre_operator.components.reana.walls import HTTP_PORT
from vre_operator.components.workloads import Body, config_volume, mount, secret_key, secret_volume
from vre_operator.engine.resources import Resource, ResourceId

_UWSGI, _CONFIG = f"{settings.SHARED}/uwsgi", f"{settings.SHARED}/config"
_START = ["uwsgi", "--ini", f"{_UWSGI}/uwsgi.ini"]


def render(env: Environment, component: str, needs: set[ResourceId]) -> Iterator[Resource]:
    """Services, configuration, and the two Deployments."""
    yield from _server(env, component, needs)
    yield from _controller(env, component, needs)


def _uwsgi(env: Environment, component: str, name: str, **values: Any) -> Resource:
    text = settings.UWSGI.format(programs=settings.PROGRAMS, **values)
    return config_map(
        env,
        component,
        f"uwsgi-config-{name}",
        {"uwsgi.ini": text},
        namespace=env.workflows,
        origin="spec.workflows",
    )


def _server(env: Environment, component: str, needs: set[ResourceId]) -> Iterator[Resource]:
    names, image, workflows = Names(env), ids.reana_images(env).server, env.spec.workflows
    uwsgi = _uwsgi(
        env,
        component,
        "reana-server",
        module="door:application" if ids.reana_logs_people_in(env) else "invenio_app.wsgi:application",
        processes=4,
        threads=4,
        rss=350,
    )
    yield uwsgi
    people = {"people": (ids.REANA_PEOPLE_PORT, ids.REANA_PEOPLE_PORT)}
    yield workloads.service(
        env, component, ids.REANA_SERVER, {"http": (80, HTTP_PORT)} | people, namespace=env.workflows
    )
    login, lake = ids.reana_logs_people_in(env), ids.lake_in_jobs(env)
    scheduling = settings.limits(env) | {
        "REANA_MAX_CONCURRENT_BATCH_WORKFLOWS": str(workflows.max_running),
        # Between two starts, too. Whoever waits for room waits, however long: by default an hour, and then
        # fails.
        "REANA_SCHEDULER_REQUEUE_SLEEP": "2",
        "REANA_SCHEDULER_REQUEUE_COUNT": "1000000",
        "REANA_WORKFLOW_SCHEDULING_POLICY": "fifo",
        # Only how many run: the nodes' memory is nothing that a tenant sees.
        "REANA_WORKFLOW_SCHEDULING_READINESS_CHECK_LEVEL": "1",
    }
    web = {
        "REANA_CACHE_USER": secret_key(names.cache, "user"),
        "REANA_CACHE_PASSWORD": secret_key(names.cache, "password"),
        "REANA_COMPUTE_BACKENDS": json.dumps(backends.offered(env)),
        "WORKSPACE_RETENTION_PERIOD": str(workflows.keep_days or "forever"),
        "REANA_INTERACTIVE_SESSION_MAX_INACTIVITY_PERIOD": str(workflows.session_days),
        "REANA_USER_EMAIL_CONFIRMATION": "false",
        # Tokens come from us: components/reana/files/people.py.
        "REANA_ACCESS_TOKEN_ISSUANCE_POLICY": "manual",
        "REANA_NOTIFICATIONS_ENABLED": "false",
        **(
            {
                "LOGIN_PROVIDERS_CONFIGS": secret_key(names.login, "PROVIDER_CONFIGS"),
                "LOGIN_PROVIDERS_SECRETS": secret_key(names.login, "PROVIDER_SECRETS"),
                "VRE_LOGIN": f"{_CONFIG}/{settings.LOGIN}",
            }
            if login
            else {}
        ),
        # It sends the person's token along, and its library does so by https only: ids.REANA_REALM is in
        # the same pod, and of the provider's addresses there is none without.
        **({"OAUTHLIB_INSECURE_TRANSPORT": "1"} if login and not ids.by_keycloak(env) else {}),
    }
    # Another Host is nobody, and http is sent to https: contracts/reana.md section 1.7.
    headers = [
        {"name": "Host", "value": workflows.hostname},
        {"name": "X-Forwarded-Proto", "value": "https"},
    ]
    ping: Body = {
        "httpGet": {"path": "/api/ping", "port": HTTP_PORT, "httpHeaders": headers},
        "timeoutSeconds": 10,
    }
    asked: Body = {"tcpSocket": {"port": ids.REANA_PEOPLE_PORT}, "timeoutSeconds": 5}
    containers = [
        pods.container(
            env,
            "rest-api",
            image,
            cpu=("100m", "2"),
            memory=("512Mi", "2Gi"),
            command=_START,
            environment=settings.key(env) | scheduling | web,
            ports={"http": HTTP_PORT},
            mounts=[mount("config", _CONFIG), mount("uwsgi", _UWSGI)],
            startupProbe=ping | {"periodSeconds": 3, "failureThreshold": 200},
            readinessProbe=ping | {"periodSeconds": 15, "failureThreshold": 2},
            livenessProbe=ping | {"periodSeconds": 30, "failureThreshold": 6},
        ),
        pods.container(
            env,
            "scheduler",
            image,
            cpu=("20m", "1"),
            memory=("160Mi", "768Mi"),
            command=["flask", "start-scheduler"],
            environment=scheduling,
        ),
        pods.container(
            env,
            "people",
            image,
            cpu=("10m", "1"),
            memory=("96Mi", "512Mi"),
            command=[
                "python3",
                f"{settings.PROGRAMS}/people.py",
                str(ids.REANA_PEOPLE_PORT),
                settings.CREDENTIALS,
            ],
            environment=settings.key(env)
            | ({"VRE_JWKS": secret_key(names.login, "JWKS")} if login else {})
            | ({"VRE_LAKE": settings.LAKE} if lake else {}),
            ports={"people": ids.REANA_PEOPLE_PORT},
            mounts=[mount("people", settings.CREDENTIALS), *([mount("lake", settings.LAKE)] if lake else [])],
            startupProbe=asked | {"periodSeconds": 2, "failureThreshold": 150},
            readinessProbe=asked | {"periodSeconds": 10},
            livenessProbe=asked | {"periodSeconds": 30, "failureThreshold": 6},
        ),
    ]
    template = pods.pod(
        env,
        component,
        ids.REANA_SERVER,
        containers,
        volumes=[
            config_volume("config", names.config),
            config_volume("uwsgi", uwsgi.id),
            secret_volume("people", names.credentials),
            *([config_volume("lake", names.lake)] if lake else []),
        ],
        config=[names.cache, names.config, names.credentials, uwsgi.id, *([names.login] if login else [])],
        service_account=names.infrastructure.name,
    )
    yield workloads.deployment(
        env,
        component,
        ids.REANA_SERVER,
        template,
        needs=needs | {uwsgi.id},
        origin="spec.workflows",
        namespace=env.workflows,
    )


def _controller(env: Environment, component: str, needs: set[ResourceId]) -> Iterator[Resource]:
    names, images = Names(env), ids.reana_images(env)
    uwsgi = _uwsgi(
        env,
        component,
        "reana-workflow-controller",
        module="gate:application",
        processes=2,
        threads=4,
        rss=1024,
    )
    yield uwsgi
    yield workloads.service(
        env, component, ids.REANA_CONTROLLER, {"http": (80, HTTP_PORT)}, namespace=env.workflows
    )
    running = settings.limits(env) | {
        "REANA_STORAGE_BACKEND": "network",
        "REANA_SHARED_PVC_NAME": settings.VOLUME,
        "REANA_JOB_CONTROLLER_IMAGE": backends.image(env),
        "REANA_WORKFLOW_ENGINE_IMAGE_SERIAL": images.serial,
        "REANA_WORKFLOW_ENGINE_IMAGE_SNAKEMAKE": images.snakemake,
        "REANA_WORKFLOW_ENGINE_IMAGE_CWL": images.cwl,
        "REANA_WORKFLOW_ENGINE_IMAGE_YADAGE": images.yadage,
        # What the controller does not hand on by itself.
        "REANA_JOB_CONTROLLER_ENV_VARS": json.dumps(
            {
                "REANA_SHARED_PVC_NAME": settings.VOLUME,
                "SHARED_VOLUME_PATH": settings.SHARED,
                "REANA_VETTED_CONTAINER_IMAGES": json.dumps(settings.vetted(env)),
            }
            | backends.submission(env)
            | kerberos.beside(env)
        ),
        "REANA_INFRASTRUCTURE_KUBERNETES_SERVICEACCOUNT_NAME": names.infrastructure.name,
        "REANA_RUNTIME_KUBERNETES_SERVICEACCOUNT_NAME": names.runtime.name,
        "REANA_INGRESS_HOST": env.spec.workflows.hostname or "",
        "REANA_INGRESS_CLASS_NAME": ids.ingress_class(env).name,
        "REANA_INGRESS_ANNOTATIONS": "{}",
        "IMAGE_PULL_SECRETS": ",".join(env.site.image_pull_secrets),
        "TRAEFIK_ENABLED": "false",
        "REANA_JOB_CONTROLLER_CONNECTION_CHECK_SLEEP": "2",
        **backends.gate(env),
        **kerberos.beside(env),
        **kerberos.gate(env),
    }
    containers = [
        pods.container(
            env,
            "rest-api",
            images.workflow_controller,
            cpu=("50m", "1"),
            memory=("256Mi", "1Gi"),
            command=_START,
            environment=settings.key(env) | running,
            ports={"http": HTTP_PORT},
            mounts=[mount("uwsgi", _UWSGI)],
            readinessProbe={"tcpSocket": {"port": HTTP_PORT}, "periodSeconds": 10, "timeoutSeconds": 5},
            livenessProbe={
                "tcpSocket": {"port": HTTP_PORT},
                "periodSeconds": 30,
                "timeoutSeconds": 5,
                "failureThreshold": 10,
            },
        ),
        pods.container(
            env,
            "job-status-consumer",
            images.workflow_controller,
            cpu=("20m", "1"),
            memory=("128Mi", "768Mi"),
            command=["flask", "consume-job-queue"],
            environment=running,
        ),
    ]
    template = pods.pod(
        env,
        component,
        ids.REANA_CONTROLLER,
        containers,
        volumes=[config_volume("uwsgi", uwsgi.id)],
        config=[uwsgi.id],
        service_account=names.infrastructure.name,
    )
    yield workloads.deployment(
        env,
        component,
        ids.REANA_CONTROLLER,
        template,
        needs=needs | {uwsgi.id},
        origin="spec.workflows",
        namespace=env.workflows,
    )
