"""What a simulated gateway answers: read from the applied configuration and from who is healthy. Pure.

Apart from the local engine's on purpose: where the two agree, neither merely repeats the other.
"""

from anden.engines.simulated.world import Resident, World
from anden.model.configuration import Configuration, GatewayRoute
from anden.model.observation import Health, InstanceState
from anden.model.topology import Protocol

NO_ROUTE, UNAVAILABLE, BAD_REQUEST = 404, 503, 400
BUFFER_BYTES = 64 * 1024
"""Headers that are longer than this as a whole are refused whatever the manners are."""


def answered(world: World, path: str, header_bytes: int = 0) -> int | None:
    """The status for a GET of `path`, one of whose header lines has that many bytes; None: the connection ends without
    an answer. A route with a host is not asked for.

    With retries a request finds a healthy instance when there is one. Without any that is healthy, the one that is
    tried decides when the balancer fails open: what runs answers, and what does not run refuses.
    """
    configuration = world.configuration
    limit = configuration.manners.header_bytes or BUFFER_BYTES
    if header_bytes > limit:
        return BAD_REQUEST
    route = _route(configuration, path)
    if route is None:
        return NO_ROUTE
    backend = next((each for each in configuration.backends if each.service == route.service), None)
    if route.refused or backend is None or backend.port is None or backend.protocol is Protocol.TCP:
        return UNAVAILABLE
    own = [each for each in world.residents.values() if each.instance.service == route.service and each.begun]
    if any(each.health is Health.HEALTHY for each in own):
        return 200
    if not configuration.manners.fails_open:
        return UNAVAILABLE
    runs = [each for each in own if each.state in (InstanceState.STARTING, InstanceState.RUNNING)]
    return _status(runs[0]) if runs else UNAVAILABLE


def _route(configuration: Configuration, path: str) -> GatewayRoute | None:
    """The longest path that `path` begins with, on a segment's edge."""
    asked = path.rstrip("/") + "/"
    fitting = [
        route for route in configuration.routes if route.host is None and asked.startswith(route.path.rstrip("/") + "/")
    ]
    return max(fitting, key=lambda route: len(route.path), default=None)


def _status(resident: Resident) -> int:
    """What an instance answers by itself: its behaviour's words, `HTTP 500`, or a good answer."""
    word = resident.behaviour.answer.rpartition(" ")[2]
    return 200 if resident.behaviour.healthy else int(word) if word.isdigit() else UNAVAILABLE
