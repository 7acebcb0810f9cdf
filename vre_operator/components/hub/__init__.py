"""JupyterHub: log in, choose an environment, work. And the checks of the notebooks' images."""

from vre_operator.components.hub.component import COMPONENT, render

__all__ = ["COMPONENT", "render"]
