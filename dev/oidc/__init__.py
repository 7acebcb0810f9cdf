"""Real identity providers on loopback: Keycloak, and a strict server for dynamic registration."""
