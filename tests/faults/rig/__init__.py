"""Proxies that fail on demand, recorders of what really happened, and an oracle that compares the two."""
