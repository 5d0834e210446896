"""The balancer of a cell as an HAProxy configuration (2.6): the gateway, a frontend for each internal name, and a
backend for each service that has a port.

Servers come and go through the runtime API; frontends and backends cannot. So `config` without servers is the
*structure*: while its text stays the same, running processes stay. A process that starts while others serve gets the
servers of that moment rendered in, for an empty balancer would answer 503 until somebody registered them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address

from anden.engines.local.render import access_log, dialled, guards, limits, traces
from anden.engines.local.render.dialled import DIALLED, OPEN
from anden.model.configuration import Backend, Configuration, GatewayRoute
from anden.model.ids import InstanceId, ServiceName
from anden.model.instance import Instance
from anden.model.manners import Manners
from anden.model.topology import Protocol

GATEWAY_FD = 10
"""The descriptor at which a process finds the gateway's listening socket; internal names follow it."""
TLS_FD = 8
"""The same of its socket with TLS. 9 is the access log's."""
CERTIFICATE = "/run/anden/certificates/gateway.pem"
"""Certificate and key, where nobody says otherwise. In a cell the file's name is the certificate's digest, so that
another one is another text."""
CONNECTIONS = 4000
"""At once, a process: two descriptors each, which fits a limit of 20,000 open files."""
NAME_CONNECTIONS = 1000
"""Of these, at most so many by one internal name: a caller that holds thousands of them open must not shut out the
gateway or the other names."""
CONNECT_S = 1.0
REQUEST_S = 10.0
"""A client has this long for its request's headers."""
TCP_IDLE_S = dialled.IDLE_S
"""The same for `protocol: tcp`."""
STOP_MARGIN_S = 5.0
BUFFER_BYTES = 20 * 1024
"""What a request's headers must fit into, with HAProxy's own reserve of 1 KB: a line of 16 KB and some others.
A larger buffer costs every request: with 68 KB a fifth of the requests a second."""
BUFFER_AS_AWS_BYTES = 68 * 1024
"""The same with AWS's manners: an Application Load Balancer takes 64 KB of headers, any line of them up to 16 KB."""
CHECK_MS = 500
CHECK_CHANGING_MS = 100
"""Between checks while an instance's health is turning."""
CHECK_DOWN_MS = 100
"""Between checks of an instance that is down: how soon a new one is noticed."""
CHECK_TIMEOUT_MS = 2000
RISE = 1
FALL = 3
BACKLOG = 4096
"""Connections that wait to be accepted; the kernel's own bound (net.core.somaxconn) is 4,096."""
IDEMPOTENT = "GET HEAD OPTIONS"
"""Methods that may be sent a second time when an instance took the request and died."""
CHECKING = (
    f"check inter {CHECK_MS}ms fastinter {CHECK_CHANGING_MS}ms downinter {CHECK_DOWN_MS}ms rise {RISE} fall {FALL}"
)
POOL = "pool-max-conn -1 pool-purge-delay 5s"
"""Keep idle connections to instances for a while, and any number of them. The first is a server's default in the file
and not in `add server` (HAProxy 2.6: none are kept), where a new connection for each request costs two thirds."""

LISTENER_PREFIX = "name-"
NEVER = "anden: no health answer holds this"
GATEWAY = "anden:gateway"
"""The gateway's frontend."""
NOWHERE = "anden:nowhere"
NO_ROUTE = "no route"
NO_INSTANCE = json.dumps({"error": "no healthy instance"})
LONG_HEADER = "a header line is too long"
NUL_HEADER = "a header holds a NUL"


@dataclass(frozen=True, slots=True)
class Server:
    """An instance as the balancer sees it. health_path None: the service's own, or a TCP connect."""

    id: InstanceId
    service: ServiceName
    address: IPv4Address
    port: int
    health_path: str | None = None
    protocol: Protocol = Protocol.HTTP


def server(instance: Instance) -> Server | None:
    """The server that an instance is; None for one without a port, which nothing can be sent to."""
    if instance.port is None:
        return None
    return Server(
        instance.id, instance.service, instance.address, instance.port, instance.health_path, instance.protocol
    )


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that a process inherits, at descriptor `fd`: the internal name of `service`, or what the other side of
    `link` dials."""

    service: ServiceName
    address: IPv4Address
    port: int
    fd: int
    link: str = ""

    @property
    def name(self) -> str:
        """Under which the socket is kept."""
        return f"{LISTENER_PREFIX}{self.address}-{self.port}"


def listeners(configuration: Configuration) -> tuple[Listener, ...]:
    """The internal names' sockets, in the order of the services; while a port moves, a name has two. Then those that
    the other sides of links dial."""
    named = [
        (backend.service, address, port, "")
        for backend in configuration.backends
        if backend.port is not None
        for address in backend.addresses
        for port in (backend.port, *sorted(set(backend.also) - {backend.port}))
    ]
    listening = dialled.services(configuration)
    named += [
        (service, IPv4Address(address), port, link)
        for link, service, address, port in dialled.doors(configuration)
        if service in listening
    ]
    return tuple(
        Listener(service, address, port, GATEWAY_FD + place, link)
        for place, (service, address, port, link) in enumerate(named, start=1)
    )


def config(
    configuration: Configuration,
    servers: Iterable[Server] = (),
    *,
    socket: str = "/run/anden/balancer.sock",
    paths: str = "/run/anden/balancer.paths",
    keys: str = guards.KEYS,
    certificate: str | None = CERTIFICATE,
) -> str:
    """haproxy.cfg. socket: the runtime API's. paths: a map file, server to health path (`health_paths`), so that
    versions of a service with different health paths are each asked at their own. keys: the folder of `key_files`.
    certificate: the file of the gateway's, with its key, where the configuration has TLS; None: there is none yet, and
    no listener. Servers of unknown services are left out."""
    by_service: dict[ServiceName, list[Server]] = {}
    for one in servers:
        by_service.setdefault(one.service, []).append(one)
    backends = [backend for backend in configuration.backends if backend.port is not None]
    names = listeners(configuration)
    manners = configuration.manners
    secure = _secure(certificate) if configuration.tls and certificate is not None else ()
    gateway = _gateway(configuration.routes, backends, manners, keys, secure)
    blocks = [_global(configuration, socket), _defaults(manners), *gateway]
    for backend in backends:
        own = by_service.get(backend.service, ())
        mine = [listener for listener in names if listener.service == backend.service]
        blocks += [_name(backend, listener, manners) for listener in mine if not listener.link]
        rewrites = tuple(limits.rewrites(_ordered(configuration.routes), backend.service, quote))
        blocks.append(_backend(backend, own, paths, manners, rewrites))
        if manners.fails_open:
            blocks.append(_open(backend, own, manners, rewrites))
        doors = [listener for listener in mine if listener.link]
        blocks += [
            dialled.frontend(door.link, door.service, str(door.address), door.port, door.fd, manners) for door in doors
        ]
        blocks += _layer_4(backend, own, paths, manners) if doors else []
    return "\n\n".join("\n    ".join(block) for block in blocks) + "\n"


def key_files(configuration: Configuration) -> Mapping[str, str]:
    """The issuers' public keys, as a process reads them when it starts: file name to PEM."""
    return guards.files(configuration.routes)


def health_paths(configuration: Configuration, servers: Iterable[Server]) -> str:
    """The map file of health paths: a line for each server that is asked by HTTP."""
    own = {backend.service: backend.health_path for backend in configuration.backends}
    pairs = [(one.id, one.health_path or own.get(one.service)) for one in servers]
    return "".join(f"{name} {path}\n" for name, path in sorted(pairs) if path is not None)


def options(one: Server) -> str:
    """What stands after a server's name and address, in the file and in `add server` alike."""
    # A check asks by the server's protocol where it asks by HTTP; `check-proto h2` beside a TCP check is a fatal error.
    h2 = " proto h2" if one.protocol is Protocol.HTTP2 else ""
    return f"{CHECKING} {POOL}{h2}"


def unchecked(one: Server) -> str:
    """The same for a server of a backend that the balancer fails open to."""
    return f"{POOL} proto h2" if one.protocol is Protocol.HTTP2 else POOL


def through(one: Server, health_path: str | None) -> str:
    """The same for a server of a backend of layer 4, whose protocol only its check speaks. health_path: its own, or its
    service's."""
    by_h2 = one.protocol is Protocol.HTTP2 and health_path is not None
    return f"{CHECKING} check-proto h2" if by_h2 else CHECKING


def stops_after(configuration: Configuration) -> float:
    """Seconds after which a process that was told to finish ends, whatever is still open in it."""
    manners = configuration.manners
    backends = [backend for backend in configuration.backends if backend.port is not None]
    longest = max((_timeout(backend, manners) for backend in backends), default=0.0)
    through_links = dialled.IDLE_S if configuration.allows_in else 0.0
    return max(longest, manners.idle_s, through_links) + STOP_MARGIN_S


def _timeout(backend: Backend, manners: Manners) -> float:
    """An answer that keeps its connection silent for longer than the balancer's patience never comes."""
    if backend.protocol is Protocol.TCP:
        return max(backend.timeout_s, TCP_IDLE_S)
    return backend.timeout_s if manners.answer_s is None else min(backend.timeout_s, manners.answer_s)


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def quote(text: str) -> str:
    """`text` as one word of HAProxy's file format. Raises ValueError for control characters, which it cannot hold."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError(f"{text!r} cannot stand in an HAProxy configuration")
    return "'" + text.replace("'", "'\\''") + "'"


def _global(configuration: Configuration, socket: str) -> list[str]:
    return [
        "global",
        f"maxconn {CONNECTIONS}",
        "nbthread 1",
        "uid 65534",
        "gid 65534",
        f"hard-stop-after {_ms(stops_after(configuration))}",
        f"tune.bufsize {BUFFER_BYTES if configuration.manners.header_bytes is None else BUFFER_AS_AWS_BYTES}",
        f"stats socket {socket} mode 600 level admin",
        "stats timeout 1h",
    ]


def _defaults(manners: Manners) -> list[str]:
    return [
        "defaults",
        f"backlog {BACKLOG}",
        f"timeout connect {_ms(CONNECT_S)}",
        f"timeout client {_ms(manners.idle_s)}",
        f"timeout server {_ms(manners.idle_s)}",
        f"timeout check {CHECK_TIMEOUT_MS}ms",
        f"timeout http-request {_ms(min(REQUEST_S, manners.idle_s))}",
        f"timeout http-keep-alive {_ms(manners.idle_s)}",
        f"retries {manners.retries}",
        *(["option redispatch 1"] if manners.retries else []),
    ]


def _secure(certificate: str) -> tuple[str, ...]:
    """A second socket of the same frontend: whatever is asked of a request is asked on both."""
    return (
        f"bind fd@{TLS_FD} ssl crt {certificate} alpn h2,http/1.1 ssl-min-ver TLSv1.2",
        # As AWS's balancer says it; what a client says of it is replaced.
        "http-request set-header X-Forwarded-Proto https if { ssl_fc }",
        "http-request set-header X-Forwarded-Proto http if !{ ssl_fc }",
    )


def _gateway(
    routes: Sequence[GatewayRoute], backends: Sequence[Backend], manners: Manners, keys: str, secure: Sequence[str]
) -> Iterator[list[str]]:
    """The longest path wins; rules with a host come before those without. Refusals are backends too: an
    `http-request` rule would be evaluated before every `use_backend`, whatever their order."""
    http = {backend.service for backend in backends if backend.protocol is not Protocol.TCP}
    reasons: dict[str, str] = {}
    ordered = _ordered(routes)
    frontend = [
        f"frontend {GATEWAY}",
        f"bind fd@{GATEWAY_FD}",
        *secure[:1],
        "mode http",
        "option forwardfor",
        "option idle-close-on-response",
        *access_log.lines(),
        *(access_log.handshakes() if secure else ()),
        *traces.errors(quote),
        *access_log.rules(),
        *traces.rules(quote),
        *secure[1:],
        # A service that is asked for `ftp://a/open` may read another path in it than HAProxy, and than the route has.
        "http-request set-uri %[pathq] if !{ url -m beg / } { path -m beg / }",
        # HAProxy 2.6 passes a NUL in a header on, and not every service reads what is behind it.
        f"{guards.answer(HTTPStatus.BAD_REQUEST, NUL_HEADER, quote)} if {{ req.hdrs -m reg '\\x00' }}",
        *_refusals(manners, guards.answer(HTTPStatus.BAD_REQUEST, LONG_HEADER, quote)),
        *limits.rules(ordered, _conditions, quote),
        *guards.rules(ordered, _conditions, quote, keys),
    ]
    for route in ordered:
        refused = route.refused or ("" if route.service in http else f"{route.service} does not speak HTTP")
        goal = reasons.setdefault(refused, f"anden:refused-{len(reasons) + 1}") if refused else str(route.service)
        if manners.fails_open and not refused:
            conditions = _conditions(route, f" {_none_healthy(route.service)}")
            frontend += [f"use_backend {goal}{OPEN} if {condition}" for condition in conditions]
        frontend += [f"use_backend {goal} if {condition}" for condition in _conditions(route)]
    yield [*frontend, f"default_backend {NOWHERE}"]
    yield [
        f"backend {NOWHERE}",
        "mode http",
        guards.answer(HTTPStatus.NOT_FOUND, NO_ROUTE, quote),
    ]
    yield from limits.tables(ordered)
    yield from guards.table(ordered)
    for text, goal in reasons.items():
        yield [f"backend {goal}", "mode http", guards.answer(HTTPStatus.SERVICE_UNAVAILABLE, text, quote)]


def _ordered(routes: Iterable[GatewayRoute]) -> list[GatewayRoute]:
    return sorted(routes, key=lambda one: (one.host is None, one.host or "", -len(one.path), one.path))


def _conditions(route: GatewayRoute, more: str = "") -> list[str]:
    """A prefix that ends at a segment's edge: `/accounts` takes `/accounts` and `/accounts/x`, not `/accountsx`.

    more: what must hold as well; it stands on each side of an `or`, which binds less than standing side by side."""
    prefix = route.path.rstrip("/")
    paths = [f"{{ path -m str {quote(prefix)} }}{more}"] if prefix else []
    paths.append(f"{{ path -m beg {quote(prefix + '/')} }}{more}")
    if route.host is None:
        return [" or ".join(paths)]
    host = f"{{ req.hdr(host),host_only,lower -m str {quote(route.host.lower())} }}"
    return [f"{host} {path}" for path in paths]


def _none_healthy(service: ServiceName) -> str:
    return f"{{ nbsrv({service}) eq 0 }}"


def _refusals(manners: Manners, answer: str) -> list[str]:
    """Refuses any request by `answer`. One look at each line: the pattern is bound to a line's beginning."""
    if manners.header_bytes is None:
        return []
    too_long = f"{{ req.hdrs -m reg '(?m)^[^\\r\\n]{{{manners.header_bytes + 1}}}' }}"
    return [f"{answer} if {too_long}"]


def _name(backend: Backend, listener: Listener, manners: Manners) -> list[str]:
    more = "" if listener.address == backend.address else f":{listener.address}"
    lines = [
        f"frontend name:{backend.service}:{listener.port}{more}",
        f"bind fd@{listener.fd}",
        f"maxconn {NAME_CONNECTIONS}",
    ]
    if backend.protocol is Protocol.TCP:
        lines += ["mode tcp", f"timeout client {_ms(_timeout(backend, manners))}"]
    else:
        said = f"content-type application/json string {quote(json.dumps({'error': LONG_HEADER}))}"
        lines += ["mode http", "option forwardfor", "option idle-close-on-response"]
        lines += _refusals(manners, f"http-request return status 400 {said}")
        lines.append(f"http-error status 503 content-type application/json string {quote(NO_INSTANCE)}")
    if manners.fails_open:
        lines.append(f"use_backend {backend.service}{OPEN} if {_none_healthy(backend.service)}")
    return [*lines, f"default_backend {backend.service}"]


def _balanced(name: str, backend: Backend, manners: Manners, rewrites: Sequence[str]) -> list[str]:
    """What is the same for a service's backend and for the one that it fails open to."""
    lines = [f"backend {name}", "balance leastconn", f"timeout server {_ms(_timeout(backend, manners))}"]
    if backend.protocol is Protocol.TCP:
        return [*lines, "mode tcp"]
    lines += ["mode http", *rewrites]
    if manners.retries:
        lines.append("retry-on conn-failure empty-response")
        lines.append(f"http-request disable-l7-retry unless {{ method {IDEMPOTENT} }}")
    return lines


def _open(backend: Backend, servers: Iterable[Server], manners: Manners, rewrites: Sequence[str]) -> list[str]:
    ordered = sorted(servers, key=lambda one: one.id)
    own = (f"server {one.id} {one.address}:{one.port} {unchecked(one)}" for one in ordered)
    return [*_balanced(f"{backend.service}{OPEN}", backend, manners, rewrites), *own]


def _layer_4(backend: Backend, servers: Iterable[Server], paths: str, manners: Manners) -> Iterator[list[str]]:
    """The same servers for who dials them over a link, and those that this fails open to."""
    name, ordered = f"{backend.service}{DIALLED}", sorted(servers, key=lambda one: one.id)
    own = [
        f"server {one.id} {one.address}:{one.port} {through(one, one.health_path or backend.health_path)}"
        for one in ordered
    ]
    yield dialled.backend(name, _health(backend, paths), own)
    if manners.fails_open:
        own = [f"server {one.id} {one.address}:{one.port}" for one in ordered]
        yield dialled.backend(f"{name}{OPEN}", (), own)


def _backend(
    backend: Backend, servers: Iterable[Server], paths: str, manners: Manners, rewrites: Sequence[str]
) -> list[str]:
    lines = [*_balanced(str(backend.service), backend, manners, rewrites), *_health(backend, paths)]
    ordered = sorted(servers, key=lambda one: one.id)
    return [*lines, *(f"server {one.id} {one.address}:{one.port} {options(one)}" for one in ordered)]


def _health(backend: Backend, paths: str) -> tuple[str, ...]:
    """How servers are asked; none: it connects."""
    if backend.health_path is None:
        return ()
    return (
        "option httpchk",
        f"http-check send meth GET uri-lf '%[srv_name,map_str({paths},/)]' ver HTTP/1.1 hdr Host {backend.service}",
        # Read the whole answer first: hanging up on it makes many servers log a broken connection, at each check.
        f"http-check expect ! string {quote(NEVER)}",
        "http-check expect status 200-399",
    )
