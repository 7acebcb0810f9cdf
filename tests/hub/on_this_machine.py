# mypy: ignore-errors
"""The tenant's configuration as it is, on ports of this test, and with VRE_SESSION without a cluster."""

import os

c = get_config()  # noqa: F821
load_subconfig(os.environ["VRE_HUB_ROOT"] + "/config/jupyterhub_config.py")  # noqa: F821

if "VRE_SESSION" in os.environ:
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.cmd = ["python3", os.environ["VRE_SESSION"]]
    c.SimpleLocalProcessSpawner.home_dir_template = os.environ["TMPDIR"] + "/{username}"
c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = f"http://127.0.0.1:{os.environ['HUB_PORT']}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['PROXY_API_PORT']}"
for service in c.JupyterHub.services:
    if service["name"] == "tokens":
        service["command"][-1] = os.environ["VRE_HUB_ROOT"] + "/config/tokens.py"
        kept = {"VRE_HUB_ROOT": os.environ["VRE_HUB_ROOT"]}
        service["environment"] = kept | {"VRE_TOKENS_PORT": os.environ["TOKENS_PORT"]}
if "VRE_HUB_AS_IT_IS" not in os.environ:
    # Ask at once instead of after minutes.
    c.Authenticator.auth_refresh_age = 1
