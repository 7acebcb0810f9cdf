# mypy: ignore-errors
"""REANA's people, for the operator and the hub: REANA itself has no interface that makes one.

    people.py PORT CREDENTIALS

Runs beside the server, in its image (Python 3.8 and later; reana-db 0.9 and 0.95) and with its environment.
Whoever asks shows `Authorization: Bearer`, and what a file of the directory CREDENTIALS holds: hub, operator,
or probe, who is a person of its own.

    GET    /people                      {"people": [{"id", "email", "active", "limits", "used"}], "revision"}
    PUT    /people/ADDRESS              {"name", "username"} -> {"id", "token"}; made where they are missing
    DELETE /people/ADDRESS/token        a token that is there is revoked; what runs goes on
    PUT    /people/ADDRESS/limits       {"cpu": milliseconds, "disk": bytes}; 0 is without end

The hub may do the second and the third, with an address that its provider verified: REANA knows people by it.
Beside it, for REANA itself and without a credential, as it is public: GET /realm, see realm.py.
"""

import hmac
import json
import secrets
import signal
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import stores
from realm import NoKey, realm
from reana_db.database import Session
from reana_db.models import AuditLogAction, User, UserTokenStatus
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

ADMINISTRATOR = "00000000-0000-0000-0000-000000000000"
LONGEST = 255
HUB, OPERATOR, PROBE = "hub", "operator", "probe"
PROBED = "probe@reana.invalid"
REVISION = text("SELECT version_num FROM __reana.alembic_version")


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def known(address):
    """Whom REANA knows by it; None for nobody."""
    user = Session.query(User).filter_by(email=address).one_or_none()
    if user is not None and str(user.id_) == ADMINISTRATOR:
        raise Refused(HTTPStatus.FORBIDDEN, "the administrator is nobody's to change")
    return user


def found(address):
    user = known(address)
    if user is None:
        raise Refused(HTTPStatus.NOT_FOUND, "REANA knows nobody by this address")
    return user


def described(user):
    return {
        "id": str(user.id_),
        "email": user.email,
        "active": user.active_token is not None,
        "limits": {one.resource.type_.name: one.quota_limit or 0 for one in user.resources},
        "used": {one.resource.type_.name: one.quota_used or 0 for one in user.resources},
    }


def everybody():
    users = Session.query(User).order_by(User.email).all()
    people = [described(user) for user in users if str(user.id_) != ADMINISTRATOR]
    return {"people": people, "revision": Session.execute(REVISION).scalar()}


def written(action, user):
    """In REANA's own book of tokens, where its administrators look; never a token."""
    user.log_action(action, {"source": "vre-operator", "user_id": str(user.id_), "user_email": user.email})


def welcome(address, wish):
    """One transaction for who is new, with a token and limits; twice at once makes one person all the same."""
    if "@" not in address or len(address) > LONGEST:
        raise Refused(HTTPStatus.BAD_REQUEST, "this is no e-mail address")
    names = {"full_name": wish.get("name"), "username": wish.get("username")}
    names = {field: str(value)[:LONGEST] for field, value in names.items() if value}
    user = known(address)
    if user is None:
        user = User(email=address, **{"username": address, **names})
        Session.add(user)
    for field, value in names.items():
        setattr(user, field, value)
    Session.flush()
    token = user.access_token
    if token is None:
        user.access_token = token = secrets.token_urlsafe(32)
        Session.commit()
        written(AuditLogAction.grant_token, user)
    Session.commit()
    told = {"id": str(user.id_), "token": token}
    if address != PROBED:  # which is nobody at the hub
        furnished(told["id"], str(wish.get("username") or ""))
    return told


def furnished(identity, name):
    """Of the data lake, where jobs have it. Without it a person works all the same, and the next time tries
    again."""
    try:
        stores.kept(identity, name, Handler.credentials / "jobs")
    except Exception as error:
        said = f"a person's own Secret was not brought up to date: {type(error).__name__}"
        print(said, file=sys.stderr, flush=True)


def farewell(address):
    user = found(address)
    active = user.active_token
    if active is not None:
        active.status = UserTokenStatus.revoked
        Session.commit()
        written(AuditLogAction.revoke_token, user)
    return {}


def bound(address, limits):
    if set(limits) != {"cpu", "disk"} or not all(type(n) is int and n >= 0 for n in limits.values()):
        raise Refused(HTTPStatus.BAD_REQUEST, "limits are cpu and disk, whole numbers from 0")
    for one in found(address).resources:
        one.quota_limit = limits[one.resource.type_.name]
    Session.commit()
    return {}


def answer(method, path, who, wish):
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if who == PROBE and (method, parts) != ("PUT", ["people", PROBED]):
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
    if method == "GET" and parts == ["people"] and who == OPERATOR:
        return everybody()
    if parts[:1] == ["people"] and len(parts) in (2, 3):
        address, *rest = parts[1:]
        if method == "PUT" and not rest:
            return welcome(address, wish)
        if method == "DELETE" and rest == ["token"]:
            return farewell(address)
        if method == "PUT" and rest == ["limits"] and who == OPERATOR:
            return bound(address, wish)
    raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    credentials = Path()

    @property
    def shown(self):
        return self.headers.get("Authorization", "")

    def who(self):
        shown = self.shown.encode()
        for name in (OPERATOR, HUB, PROBE):
            wanted = b"Bearer " + (self.credentials / name).read_bytes().strip()
            if hmac.compare_digest(shown, wanted):
                return name
        raise Refused(HTTPStatus.UNAUTHORIZED, "the credential is not the hub's and not the operator's")

    def wish(self):
        try:
            wish = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        except ValueError:
            wish = None
        if not isinstance(wish, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        return wish

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self):
        wish = None
        try:
            wish = self.wish()
            if (self.command, self.path) == ("GET", "/realm"):
                self.reply(HTTPStatus.OK, realm(self.shown[len("Bearer ") :]))
                return
            who = self.who()
            try:
                body = answer(self.command, self.path, who, wish)
            except IntegrityError:  # somebody made the same person meanwhile
                Session.rollback()
                body = answer(self.command, self.path, who, wish)
            self.reply(HTTPStatus.OK, body)
        except Refused as refusal:
            # What was not read of the body would be taken for the next request.
            self.close_connection = self.close_connection or wish is None
            self.reply(refusal.status, {"message": str(refusal)})
        except NoKey as missing:
            self.reply(HTTPStatus.BAD_GATEWAY, {"message": str(missing)})
        except Exception as error:
            print(f"{self.command} failed: {type(error).__name__}", file=sys.stderr, flush=True)
            said = "REANA's database does not answer as it should"
            self.reply(HTTPStatus.SERVICE_UNAVAILABLE, {"message": said})
        finally:
            Session.remove()

    do_GET = do_PUT = do_DELETE = handle_any  # noqa: N815  the names are the library's

    def log_message(self, *_):
        """Addresses of people would be in it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    # The first process of a container hears no signal that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Handler.credentials = Path(sys.argv[2])
    Server(("", int(sys.argv[1])), Handler).serve_forever()
