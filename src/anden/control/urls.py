"""Where a route answers, as people open it."""

HTTPS_PORT = "443"


def url(gateway: str, path: str) -> str:
    """gateway: `127.0.0.1:8080`, or with its scheme where the engine knows that (`https://api.banco.example`)."""
    return f"{gateway}{path}" if "://" in gateway else f"http://{gateway}{path}"


def secured(gateway: str | None, domain: str | None) -> str | None:
    """How the listener with TLS is asked for, by the name that its certificate is for. gateway: where it listens."""
    if gateway is None or domain is None:
        return None
    port = gateway.rpartition(":")[2]
    return f"https://{domain}" if port == HTTPS_PORT else f"https://{domain}:{port}"
