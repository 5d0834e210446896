"""Topologies for properties, and short ways to write one."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from hypothesis import strategies as st

from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import DestinationName, Digest, ServiceName
from anden.model.image import Image
from anden.model.topology import (
    Destination,
    Egress,
    Health,
    ImageSource,
    Protocol,
    Range,
    Route,
    Scale,
    ScaleMetric,
    Service,
    Size,
    Slo,
    Topology,
)
from anden.planning.blueprint import draft

NAMES = ("accounts", "ledger", "payments", "reports", "web", "worker")
OUTSIDE = ("core", "exchange", "mail")


def service(name: str, port: int | None = 8080, **fields: Any) -> Service:
    fields.setdefault("source", ImageSource(f"{name}:1.0.0"))
    return Service(ServiceName(name), port=port, **fields)


def topology(*services: Service, **fields: Any) -> Topology:
    ordered = tuple(sorted(services, key=lambda one: one.name))
    return Topology("banco-andino", fields.pop("environment", "certification"), ordered, **fields)


def destination(name: str, to: str, port: int = 443, link: str | None = None) -> Destination:
    if to[0].isdigit():
        return Destination(DestinationName(name), port, network=IPv4Network(to), link=link)
    return Destination(DestinationName(name), port, host=to, link=link)


def images(of: Topology, version: str = "1.0.0", digit: str = "0") -> Mapping[str, Image]:
    return {one.name: Image(f"{one.name}:{version}", Digest("sha256:" + digit * 64)) for one in of.services}


def drafted(of: Topology, parent: Blueprint | None = None) -> Blueprint:
    return draft(of, images(of), Facts(), parent)


ranges = st.tuples(st.integers(0, 6), st.integers(1, 9)).map(lambda pair: Range(min(pair), max(pair)))


@st.composite
def services(draw: st.DrawFn, name: str) -> Service:
    return Service(
        ServiceName(name),
        ImageSource(f"{name}:{draw(st.sampled_from(['1.0.0', '1.0.1']))}"),
        port=draw(st.sampled_from([None, 8080, 9090])),
        protocol=draw(st.sampled_from(Protocol)),
        instances=draw(ranges),
        size=draw(st.sampled_from([Size(), Size(1000, 2048)])),
        scale=draw(st.sampled_from([None, Scale(ScaleMetric.REQUESTS, 50.0), Scale(ScaleMetric.CPU, 60.0)])),
        route=draw(st.sampled_from([None, Route("/"), Route(f"/{name}", auth="customers")])),
        health=draw(st.sampled_from([Health(), Health("/health")])),
        reaches=tuple(draw(st.lists(st.sampled_from(NAMES + OUTSIDE), unique=True, max_size=4))),
        env=draw(st.dictionaries(st.sampled_from(["LEVEL", "MODE"]), st.sampled_from(["x", "y"]))),
        secrets=draw(st.dictionaries(st.sampled_from(["TOKEN"]), st.sampled_from(["one", "two"]))),
        slo=draw(st.sampled_from([None, Slo(99.9)])),
        command=draw(st.sampled_from([None, ("serve",), ("serve", "--fast")])),
        start_s=draw(st.sampled_from([10.0, 20.0])),
    )


@st.composite
def destinations(draw: st.DrawFn, name: str) -> Destination:
    link = draw(st.sampled_from([None, None, "core"]))
    addresses = ["10.20.4.17/32"] if link else ["198.51.100.7/32", "198.51.100.0/24", "api.example", "0.0.0.0/0"]
    return destination(name, draw(st.sampled_from(addresses)), draw(st.sampled_from([443, 8443])), link)


@st.composite
def topologies(draw: st.DrawFn, networks: st.SearchStrategy[IPv4Network | None] | None = None) -> Topology:
    names = draw(st.sets(st.sampled_from(NAMES), min_size=1))
    outside = draw(st.sets(st.sampled_from(OUTSIDE)))
    known = names | outside
    drawn = [draw(services(name)) for name in sorted(names)]
    kept = [
        Service(**{**_fields(one), "reaches": tuple(name for name in one.reaches if name in known)}) for one in drawn
    ]
    places = [draw(destinations(name)) for name in sorted(outside)]
    return topology(
        *kept,
        destinations=tuple(places),
        zones=draw(st.integers(1, 4)),
        egress=draw(st.sampled_from(Egress)),
        network=None if networks is None else draw(networks),
        production=draw(st.booleans()),
    )


def _fields(one: Service) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Service.__dataclass_fields__}
