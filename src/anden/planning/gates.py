"""What the gateway asks of a token, from what routes say."""

from collections.abc import Iterable, Mapping

from anden.model.configuration import Guard
from anden.model.topology import Issuer, Service


def guard(services: Iterable[Service], issuers: Mapping[str, Issuer]) -> tuple[Guard | None, str]:
    """What a request for these has to show, and why the path is closed (empty: it is not).

    services: all whose instances may answer, with a route each; who asks for a token, asks it for the others as well.
    issuers: by name. Fails closed: an issuer of whom nobody has a key lets nobody pass.
    """
    routes = [service.route for service in services if service.route is not None and service.route.auth is not None]
    named = sorted({route.auth for route in routes if route.auth is not None})
    if not named:
        return None, ""
    if len(named) > 1:
        return None, f"closed for the time of a change: it asks for tokens of {' and of '.join(named)}"
    issuer = issuers.get(named[0])
    if issuer is None or not issuer.keys:
        return None, f"closed: nobody has the keys of {named[0]}"
    scopes = sorted({scope for route in routes for scope in route.scopes})
    return Guard(issuer.issuer, issuer.audience, issuer.keys, tuple(scopes)), ""
