"""Each development image keeps the promises of the official one that the operator's manifests rely on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dev import keycloak
from dev.images import build, refs
from tests.images import container
from tests.unit.components.scenarios import scenario
from vre_operator.components import reana
from vre_operator.engine.refs import encode, resolve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

Run = Callable[..., str]

# There is no curl in the images: wait for an address to answer and print what it says.
_GET = """
get() {
    python3 - "$1" "${2:-60}" <<'PYTHON'
import sys, time, urllib.request
url, limit = sys.argv[1], time.monotonic() + float(sys.argv[2])
while True:
    try:
        print(urllib.request.urlopen(url, timeout=20).read().decode())
        break
    except OSError as error:
        if time.monotonic() > limit:
            sys.exit(f"{url}: {error}")
    time.sleep(0.2)
PYTHON
}
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script in the image of that name."""

    def in_image(name: str, script: str, **options: object) -> str:
        return container.run(build([name])[name], _GET + script, tmp_path, **options)  # type: ignore[arg-type]

    return in_image


def test_second_build_does_nothing() -> None:
    first = {name: archive.stat().st_ino for name, archive in build().items()}
    assert {name: archive.stat().st_ino for name, archive in build().items()} == first
    assert all(ref.startswith(f"localhost/vre-dev/{name}:") for name, ref in refs().items())


def test_hub(run: Run) -> None:
    configuration = """
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.authenticator_class = "oauthenticator.generic.GenericOAuthenticator"
c.GenericOAuthenticator.allow_all = True
"""
    output = run(
        "hub",
        """
        id -u; id -g; pwd; jupyterhub --version
        command -v alembic tini
        python3 -c 'import psycopg, psycopg2, jupyterhub_idle_culler, kubespawner, oauthenticator.generic'
        touch writable
        [ "$*" = "tini -- jupyterhub --config /usr/local/etc/jupyterhub/jupyterhub_config.py" ]
        "$@" --show-config
        """,
        files={"usr/local/etc/jupyterhub/jupyterhub_config.py": configuration},
        volumes=("tmp", "srv/jupyterhub"),
    )
    assert output.splitlines()[:4] == ["1000", "1000", "/srv/jupyterhub", "6.1.1"]
    assert "GenericOAuthenticator" in output


def test_proxy(run: Run) -> None:
    output = run(
        "proxy",
        """
        id -u
        "$@" --version
        CONFIGPROXY_AUTH_TOKEN=secret configurable-http-proxy --ip= --api-ip= --port=8000 --api-port=8001 &
        get http://127.0.0.1:8000/_chp_healthz
        """,
    )
    assert output.startswith("65534\n5.3.0\n")
    assert '{"status":"OK"}' in output


def test_notebook(run: Run) -> None:
    output = run(
        "notebook",
        """
        id -u; id -g; pwd; jupyterhub-singleuser --version; rucio --version; jupyter lab --version
        [ "$*" = "tini -g -- jupyterhub-singleuser" ]
        jupyter kernelspec list
        echo 'print(6 * 7)' >cell.py
        jupyter run --kernel=python3 cell.py
        """,
        volumes=("tmp", "home/jovyan"),
    )
    assert output.splitlines()[:5] == ["1000", "100", "/home/jovyan", "6.1.1", "rucio 41.5.1"]
    assert "/usr/local/share/jupyter/kernels/python3" in output
    assert "\n42\n" in output


_RUCIO_CFG = """
[common]
logdir = /var/log/rucio
mailtemplatedir = /usr/local/rucio/etc/mail_templates
[database]
default = postgresql+psycopg://rucio:rucio@127.0.0.1/rucio
[policy]
permission = generic
schema = generic
"""


def test_rucio_server(run: Run) -> None:
    output = run(
        "rucio-server",
        """
        python3 -c 'import rucio.db.sqla.util, sys; print(sys.executable)'
        alembic --version
        ls /usr/local/rucio/etc/mail_templates
        "$@" echo given command
        "$@" &
        get http://127.0.0.1:80/ping
        """,
        files={"opt/rucio/etc/rucio.cfg": _RUCIO_CFG},
    )
    assert output.startswith("/usr/local/bin/python3\n")
    assert "rule_ok_notification.tmpl" in output
    assert "given command" in output
    assert '"version":"41.5.1"' in output


def test_rucio_server_without_a_configuration_ends(run: Run) -> None:
    assert "mount a complete rucio.cfg" in run("rucio-server", '"$@" || true')


def test_rucio_daemons(run: Run) -> None:
    output = run(
        "rucio-daemons",
        """RUCIO_DAEMON=reaper RUCIO_DAEMON_ARGS="--sleep-time 30 --rses 'A B' --help" "$@" """,
        files={"opt/rucio/etc/rucio.cfg": _RUCIO_CFG},
    )
    assert "usage: rucio-reaper" in output


@pytest.mark.parametrize("user", ["0:0", "999:999"])
def test_postgres(run: Run, user: str) -> None:
    output = run(
        "postgres",
        r"""
        "$@" -c max_connections=50 >/tmp/log 2>&1 &
        server=$!
        for attempt in $(seq 300); do pg_isready -q -h 127.0.0.1 && break; sleep 0.1; done
        query() { psql --no-psqlrc -h 127.0.0.1 -U "$1" -d application -Atc "$2"; }
        export PGPASSWORD="it's \$ecret"
        query owner 'SELECT usename, usesuper FROM pg_user WHERE usename = current_user'
        query owner 'SHOW max_connections'
        query owner 'SELECT * FROM prepared' || { cat /tmp/log; exit 1; }
        PGPASSWORD=wrong query owner 'SELECT 1' || echo refused
        pg_dump --version
        kill -TERM $server
        wait $server
        # A second start finds the data and leaves it alone.
        "$@" >/tmp/log 2>&1 &
        for attempt in $(seq 300); do pg_isready -q -h 127.0.0.1 && break; sleep 0.1; done
        query owner 'SELECT * FROM prepared'
        """,
        files={
            "run/secret/password": "it's $ecret",
            "docker-entrypoint-initdb.d/10-table.sql": "CREATE TABLE prepared AS SELECT 'by script' AS how;",
        },
        env={
            "POSTGRES_USER": "owner",
            "POSTGRES_DB": "application",
            "POSTGRES_PASSWORD_FILE": "/run/secret/password",
            "POSTGRES_INITDB_ARGS": "--encoding=UTF8",
            "PGDATA": "/var/lib/postgresql/data/pgdata",
        },
        volumes=("tmp", "run/postgresql", "var/lib/postgresql/data"),
        user=user,
    )
    assert "owner|t\n50\nby script\n" in output
    assert "refused\n" in output
    assert output.count("by script") == 2


def of_reana(workload: str, config: str) -> tuple[dict[str, str], dict[str, str]]:
    """A service's environment and its files, as the operator renders them."""
    found = {one.id.name: one for one in reana.render(scenario("full")) if one.id.name in (workload, config)}
    (container,) = found[workload].body["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one["value"] for one in container.get("env", ())}
    given = found[config].body["stringData"]
    return env, resolve(given, lambda ref: encode(f"the-{ref.output}", ref.encode), str)


def test_rabbitmq(run: Run) -> None:
    """With the operator's configuration: a user of its own, and nobody else; its password changes with data
    that is there already."""
    env, files = of_reana("reana-message-broker", "reana-message-broker-config")
    output = run(
        "rabbitmq",
        """
        [ "$*" = rabbitmq-server ]
        cat >/tmp/enter.py <<'PYTHON'
import socket, struct, time
for attempt in range(300):
    try:
        socket.create_connection(("127.0.0.1", 5672)).close()
        break
    except OSError:
        time.sleep(0.1)
def enters(user, password):
    with socket.create_connection(("127.0.0.1", 5672), timeout=10) as link:
        link.sendall(b"AMQP" + bytes([0, 0, 9, 1]))
        link.recv(4096)
        response = f"\\0{user}\\0{password}".encode()
        body = struct.pack(">HHI", 10, 11, 0) + b"\\x05PLAIN" + struct.pack(">I", len(response)) + response
        body += b"\\x05en_US"
        link.sendall(struct.pack(">BHI", 1, 0, len(body)) + body + b"\\xce")
        try:
            answer = link.recv(4096)
        except ConnectionResetError:
            return False
        return answer[7:11] == struct.pack(">HH", 10, 30)  # Tune
print(*(enters(*pair) for pair in (("the-user", "the-password"), ("the-user", "another"), ("guest", "guest"))))
PYTHON
        enter() { python3 /tmp/enter.py || { cat /tmp/log; exit 1; }; }
        "$@" >/tmp/log 2>&1 & server=$!
        enter
        kill $server; wait $server || true
        sed s/the-password/another/ /etc/vre/service/definitions.json >/run/vre/definitions.json
        sed s,/etc/vre/service/,/run/vre/, "$RABBITMQ_CONFIG_FILE" >/run/vre/rabbitmq.conf
        RABBITMQ_CONFIG_FILE=/run/vre/rabbitmq.conf "$@" >/tmp/log 2>&1 &
        enter
        """,
        files={
            **{f"etc/vre/service/{name}": text for name, text in files.items()},
            "etc/hosts": "127.0.0.1 localhost\n",
            **dict.fromkeys(("data/.keep", "run/vre/.keep"), ""),
        },
        env=env,
        volumes=("tmp", "data", "run/vre"),
        user="999:999",
    )
    assert output.splitlines()[-2:] == ["True False False", "False True False"]


def test_redis(run: Run) -> None:
    """With the operator's configuration: by name, and without one as generation 0.9 does."""
    _, files = of_reana("reana-cache", "reana-cache-config")
    output = run(
        "redis",
        """
        [ "$*" = redis-server ]
        "$@" /etc/vre/service/redis.conf >/tmp/log 2>&1 &
        for attempt in $(seq 100); do redis-cli ping >/dev/null 2>&1 && break; sleep 0.1; done
        redis-cli set key value
        redis-cli --no-auth-warning --user the-user --pass the-password set key value
        redis-cli --no-auth-warning --pass the-password get key
        redis-cli --no-auth-warning --user the-user --pass wrong get key
        """,
        files={"etc/vre/service/redis.conf": files["redis.conf"]},
        user="999:999",
    )
    lines = [line for line in output.splitlines() if line]
    assert "NOAUTH" in lines[0]
    assert lines[1:3] == ["OK", "value"]
    assert any("WRONGPASS" in line for line in lines[3:])


def test_keycloak(run: Run) -> None:
    secret, deployment = (
        next(item for item in keycloak.manifests(image="any") if item["kind"] == kind)
        for kind in ("Secret", "Deployment")
    )
    pod = deployment["spec"]["template"]["spec"]["containers"][0]
    output = run(
        "keycloak",
        f"""
        "$@" {" ".join(pod["args"])} &
        get http://127.0.0.1:9000/health/ready 200
        get http://127.0.0.1:8080/realms/vre/.well-known/openid-configuration
        """,
        files={f"opt/keycloak/data/import/{name}": text for name, text in secret["stringData"].items()},
        env={variable["name"]: variable["value"] for variable in pod["env"]},
        read_only=False,
        timeout=240,
    )
    assert "augmentation" not in output, "the image was built for other options"
    assert json.dumps({"issuer": keycloak.ISSUER})[1:-1].replace(": ", ":") in output


def test_operator(run: Run) -> None:
    output = run("operator", 'id -u; "$@" --help')
    assert output.startswith("65532\n")
    assert "vre-operator: " in output
