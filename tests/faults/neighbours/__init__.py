"""Programmes R6 and R7: neighbours that meddle, refuse or compete, and what a mistake must not cost."""
