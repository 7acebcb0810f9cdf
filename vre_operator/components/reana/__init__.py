"""REANA: workflows of people, in a namespace of their own."""

from vre_operator.components.reana.component import COMPONENT, render

__all__ = ["COMPONENT", "render"]
