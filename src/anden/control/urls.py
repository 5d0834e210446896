"""Where a route answers, as people open it."""

HTTPS_PORT = "443"


def url(gateway: str, path: str) -> str:
    """gateway: `127.0.0.1:8080`, or with its scheme where the engine knows that (`https://api.banco.example`)."""
    return f"{gateway}{path}" if "://" in gateway else f"http://{gateway}{path}"
