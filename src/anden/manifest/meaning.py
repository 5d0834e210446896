"""What was read without a fault, as a topology."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from anden.manifest.record import Said
from anden.manifest.view import View, instances
from anden.model.ids import DestinationName, ServiceName
from anden.model.topology import (
    Cors,
    Destination,
    Egress,
    Health,
    ImageSource,
    Incoming,
    Issuer,
    Link,
    Protocol,
    Range,
    Route,
    Service,
    Size,
    Slo,
    Strategy,
    Topology,
    VerifyingKey,
)

_SECONDS = {"timeout": "timeout_s", "stop": "stop_s", "start": "start_s"}
_AS_WRITTEN = ("command", "user", "writable")


def topology(
    client: str,
    view: View,
    built: dict[int, Service],
    keys: Mapping[str, tuple[VerifyingKey, ...]] = MappingProxyType({}),
) -> Topology:
    """The topology of an environment that has no fault. built: services by what was said of them, for the next one:
    environments share most. keys: what was read of files of keys, by their names as written."""
    said = view.said
    for name, each in view.services.items():
        if id(each) not in built:
            built[id(each)] = service(name, each)
    return Topology(
        client=client,
        environment=view.name,
        services=tuple(built[id(each)] for _, each in sorted(view.services.items())),
        destinations=tuple(_destination(name, each) for name, each in sorted(view.destinations.items())),
        links=tuple(_link(name, each, view) for name, each in sorted(view.links.items())),
        auth=tuple(
            Issuer(name, each.get("issuer"), each.get("audience"), each.get("keys"), keys.get(each.get("keys", ""), ()))
            for name, each in sorted(view.issuers.items())
        ),
        production=view.production,
        zones=said.get("zones", 1),
        egress=said.get("egress", Egress.NONE),
        network=said.get("network"),
        region=said.get("region"),
        recovery=said.get("recovery"),
        account=said.get("account"),
        domain=said.get("domain"),
        agreed=said.get("agreed"),
    )


def service(name: str, said: Said) -> Service:
    """One service, with its defaults."""
    route = _route(said)
    given: dict[str, Any] = {field: said.get(field) for field in _AS_WRITTEN if not said.absent(field)}
    given |= {to: said.get(field) for field, to in _SECONDS.items() if not said.absent(field)}
    return Service(
        name=ServiceName(name),
        source=ImageSource(said.get("image"), said.get("build")),
        port=said.get("port"),
        protocol=said.get("protocol", Protocol.HTTP),
        instances=instances(said) or Range(1, 1),
        size=said.get("size", Size()),
        scale=said.get("scale"),
        route=route,
        health=_health(said, route),
        reaches=said.get("reaches", ()),
        env=_sorted(said.get("env", {})),
        secrets=_sorted(said.get("secrets", {})),
        strategy=said.get("deploy", Strategy.ROLLING),
        slo=_slo(said),
        **given,
    )


def _route(said: Said) -> Route | None:
    route = said.get("route")
    if route is None:
        return None
    path, rewrite = route.get("path"), route.get("rewrite")
    return Route(
        path,
        route.get("host"),
        route.get("auth"),
        tuple(sorted(route.get("scopes", ()))),
        rewrite=None if rewrite == path else rewrite,
        body_bytes=route.get("body"),
        rate=route.get("rate"),
        rate_each=route.get("rate-each"),
        cors=_cors(route),
    )


def _cors(route: Said) -> Cors | None:
    said = route.get("cors")
    if said is None:
        return None
    given: dict[str, Any] = {}
    if not said.absent("methods"):
        given["methods"] = tuple(sorted(said.get("methods")))
    if not said.absent("age"):
        given["age_s"] = said.get("age")
    headers = sorted(name.lower() for name in said.get("headers", ()))
    return Cors(
        tuple(sorted(said.get("origins"))), headers=tuple(headers), credentials=said.get("credentials", False), **given
    )


def _health(said: Said, route: Route | None) -> Health:
    """What is written; else GET of the route's path where routed; else TCP."""
    health = said.get("health")
    if health is not None:
        written: Health = health.get("path")
        return written
    return Health(route.path if route is not None else None)


def _slo(said: Said) -> Slo | None:
    slo = said.get("slo")
    return None if slo is None or not slo.values else Slo(slo.get("availability"), slo.get("latency"))


def _destination(name: str, said: Said) -> Destination:
    to = said.get("to")
    return Destination(
        DestinationName(name), to.port, to.host, to.network, said.get("protocol", Protocol.TCP), said.get("link")
    )


def _link(name: str, said: Said, view: View) -> Link:
    incoming = tuple(
        Incoming(
            ServiceName(service), tuple(sorted(each.get("from"))), each.get("at", view.services[service].get("port"))
        )
        for service, each in sorted(said.get("incoming", {}).items())
    )
    return Link(
        name, said.get("peer"), said.get("networks"), said.get("secret", ()), said.get("seen-as"), said.get("bgp"),
        incoming, said.get("certificate"),
    )  # fmt: skip


def _sorted(values: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(values.items()))
