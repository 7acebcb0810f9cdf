# mypy: ignore-errors
"""The controller's application, without the engines that are switched off: REANA has no switch of its own.

uwsgi's `module = gate:application`. Each way to make a workflow (clients, the launcher, GitLab) ends here, so
it is refused before anything of it exists. VRE_ENGINES: the types that are allowed, as specifications write
them.
"""

import io
import json
import os

ALLOWED = os.environ.get("VRE_ENGINES", "").split()
LARGEST = 64 << 20


def wanted(environ):
    """The type of the workflow that is to be made, and the request's body; None where none is."""
    if environ.get("REQUEST_METHOD") != "POST" or environ.get("PATH_INFO", "").rstrip("/") != "/api/workflows":
        return None
    body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        return str(json.loads(body)["reana_specification"]["workflow"]["type"]).lower()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, the application says what is wrong with it


def gated(application, allowed):
    def gate(environ, start_response):
        kind = wanted(environ)
        if kind is None or kind in allowed:
            return application(environ, start_response)
        told = (
            f"Workflows of type {kind} are switched off here; there are {', '.join(sorted(allowed))}. "
            "Whoever runs this VRE can switch them on: spec.workflows.engines."
        )
        data = json.dumps({"message": told}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        start_response("400 BAD REQUEST", headers)
        return [data]

    return gate


if ALLOWED:
    from reana_workflow_controller.app import app

    application = gated(app, ALLOWED)
