"""What a simulated gateway answers: read from the applied configuration and from who is healthy.

Apart from the local engine's on purpose: where the two agree, neither merely repeats the other.
"""

from anden.engines.simulated.world import Resident, World
from anden.model.configuration import Configuration, GatewayRoute
from anden.model.observation import Health, InstanceState
from anden.model.topology import Protocol

OK, BAD_REQUEST, NO_TOKEN, NO_ROUTE, BAD_ANSWER, UNAVAILABLE, TOO_LATE = 200, 400, 401, 404, 502, 503, 504
BUFFER_BYTES = 19 * 1024
"""Headers that are longer than this as a whole are refused whatever the manners are."""


def answered(world: World, path: str, header_bytes: int = 0, takes_s: float = 0.0) -> int:
    """The status for a GET of `path`, one of whose header lines has that many bytes, and whose answer takes an instance
    so long. A route with a host is not asked for, and no token is shown.

    An instance that hangs up costs an attempt, of which there is one more than retries. Without any that is healthy, an
    instance that runs answers by itself when the balancer fails open.
    """
    configuration = world.configuration
    limit = configuration.manners.header_bytes or BUFFER_BYTES
    if header_bytes > limit:
        return BAD_REQUEST
    route = _route(configuration, path)
    if route is None:
        return NO_ROUTE
    backend = next((each for each in configuration.backends if each.service == route.service), None)
    closed = route.refused or backend is None or backend.port is None or backend.protocol is Protocol.TCP
    if closed or route.guard is not None:
        return UNAVAILABLE if closed else NO_TOKEN
    assert backend is not None  # noqa: S101 - closed otherwise
    own = [each for each in world.residents.values() if each.instance.service == route.service and each.begun]
    tried = [each for each in own if each.health is Health.HEALTHY]
    if not tried and configuration.manners.fails_open:
        tried = [each for each in own if each.state in (InstanceState.STARTING, InstanceState.RUNNING)]
    if not tried:
        return UNAVAILABLE
    for attempt in range(configuration.manners.retries + 1):
        resident = tried[attempt % len(tried)]
        if resident.dropped >= resident.behaviour.drops:
            longest_s = min(backend.timeout_s, configuration.manners.answer_s or backend.timeout_s)
            return TOO_LATE if takes_s > longest_s else _status(resident)
        resident.dropped += 1
    return BAD_ANSWER


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
    return OK if resident.behaviour.healthy else int(word) if word.isdigit() else UNAVAILABLE
