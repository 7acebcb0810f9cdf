# mypy: ignore-errors
"""What a pod of one tenant's workflows tries at another's: run inside one, with all that such a pod has.

Arguments: the other tenant's namespace. Prints what succeeded, of its own and of the other's, as JSON.
"""

import json
import os
import socket
import ssl
import struct
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def postgres(tenant, database="reana"):
    try:
        psycopg2.connect(
            host=f"database.{tenant}",
            dbname=database,
            user=os.environ["DB_USER"],
            password=os.environ["DB_PASSWORD"],
            connect_timeout=10,
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


def broker(tenant):
    """AMQP 0-9-1: whether Start-Ok is answered by Tune."""
    login = f"\0{os.environ['MQ_USER']}\0{os.environ['MQ_PASSWORD']}".encode()
    body = struct.pack(">HHI", 10, 11, 0) + b"\x05PLAIN" + struct.pack(">I", len(login)) + login + b"\x05en_US"
    with socket.create_connection((f"reana-message-broker.{tenant}-workflows", 5672), timeout=10) as link:
        link.sendall(b"AMQP" + bytes([0, 0, 9, 1]))
        link.recv(4096)
        link.sendall(struct.pack(">BHI", 1, 0, len(body)) + body + b"\xce")
        try:
            return link.recv(4096)[7:11] == struct.pack(">HH", 10, 30)
        except ConnectionResetError:
            return False


def cache(tenant):
    with socket.create_connection((f"reana-cache.{tenant}-workflows", 6379), timeout=10) as link:
        link.sendall(f"AUTH {os.environ['CACHE_USER']} {os.environ['CACHE_PASSWORD']}\r\n".encode())
        return link.recv(100).startswith(b"+OK")


def asked(method, path, body=None):
    """What the API server says to the token of this pod."""
    headers = {
        "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}",
        "Content-Type": "application/json",
    }
    tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"https://kubernetes.default{path}", data=data, method=method, headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=20, context=tls) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def job(**pod):
    container = {"name": "job", "image": "example.org/any", "command": ["true"]}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]} | pod
    return {"metadata": {"generateName": "attack-"}, "spec": {"template": {"spec": spec}}}


def main(other):
    mine = os.environ["TENANT"]
    jobs = f"/apis/batch/v1/namespaces/{mine}-workflows/jobs?dryRun=All"
    claim = {"name": "all", "persistentVolumeClaim": {"claimName": "reana-shared-persistent-volume"}}
    everything = [
        {
            "name": "job",
            "image": "example.org/any",
            "volumeMounts": [{"name": "all", "mountPath": "/all"}],
        }
    ]
    print(
        json.dumps(
            {
                "own": {
                    "postgres": postgres(mine),
                    "broker": broker(mine),
                    "cache": cache(mine),
                    "pods": asked("GET", f"/api/v1/namespaces/{mine}-workflows/pods"),
                    "job": asked("POST", jobs, job()),
                },
                "beside": {
                    "the hub's database": postgres(mine, "hub"),
                    "all Secrets": asked("GET", f"/api/v1/namespaces/{mine}-workflows/secrets"),
                    "the key": asked("GET", f"/api/v1/namespaces/{mine}-workflows/secrets/reana-secrets"),
                    "the tenant's Secrets": asked("GET", f"/api/v1/namespaces/{mine}/secrets"),
                    "a Job as REANA": asked("POST", jobs, job(serviceAccountName="reana-infrastructure")),
                    "a Job with the key": asked(
                        "POST", jobs, job(volumes=[{"name": "k", "secret": {"secretName": "reana-secrets"}}])
                    ),
                    "a Job with everybody's files": asked(
                        "POST", jobs, job(volumes=[claim], containers=everything)
                    ),
                    "a Job on the node": asked(
                        "POST", jobs, job(volumes=[{"name": "node", "hostPath": {"path": "/"}}])
                    ),
                },
                "other": {
                    "postgres": postgres(other),
                    "broker": broker(other),
                    "cache": cache(other),
                    "pods": asked("GET", f"/api/v1/namespaces/{other}-workflows/pods"),
                    "Secrets": asked("GET", f"/api/v1/namespaces/{other}-workflows/secrets"),
                    "the key": asked("GET", f"/api/v1/namespaces/{other}-workflows/secrets/reana-secrets"),
                    "a volume": asked("GET", f"/api/v1/namespaces/{other}-workflows/persistentvolumeclaims"),
                    "a Job": asked(
                        "POST", f"/apis/batch/v1/namespaces/{other}-workflows/jobs?dryRun=All", job()
                    ),
                },
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
