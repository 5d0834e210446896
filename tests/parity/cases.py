"""Environments to prove things of: the golden cases', and generated ones."""

import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tests.unit.planning.topologies import images, topologies

from anden import manifest
from anden.engines.aws.caveats import caveats
from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.model.blueprint import Blueprint, Facts
from anden.model.plan import Caveat
from anden.model.topology import Incoming, Issuer, Link, Protocol, Route, Service, Strategy, Topology
from anden.planning.blueprint import draft

GOLDEN = Path(__file__).parents[1] / "golden"
REGION = "us-east-1"
Templates = dict[str, dict[str, Any]]


def golden() -> Iterator[tuple[str, Topology]]:
    """Case and environment, and what the manifest means there; a region is lent to those that name none."""
    for path in sorted(GOLDEN.glob("*/anden.yaml")):
        read = manifest.read(path.read_text(), "anden.yaml", client=path.parent.name)
        for name in read.environments:
            topology = read.topologies[name]
            yield f"{path.parent.name}/{name}", replace(topology, region=topology.region or REGION)


def rendered(topology: Topology) -> tuple[Blueprint, tuple[Caveat, ...], Templates]:
    """The blueprint, what the aws engine says of it, and its templates as anybody may read them, by stack name."""
    blueprint = draft(topology, images(topology), Facts(), None)
    files = AwsEngine(VirtualClock()).render(blueprint)
    order = json.loads(files["order.json"])["stacks"]
    return blueprint, caveats(topology), {each["stack"]: json.loads(files[each["file"]]) for each in order}


_SOURCES = st.sampled_from([(IPv4Network("10.20.4.0/24"),), (IPv4Network("10.20.0.0/16"), IPv4Network("10.20.8.1/32"))])


@st.composite
def environments(draw: st.DrawFn) -> Topology:
    """Topologies as the planner's tests have them, with what only AWS looks at."""
    of = draw(topologies())
    seen_as = draw(st.sampled_from([None, IPv4Network("100.64.10.0/24")]))
    behind = any(place.link for place in of.destinations)
    bgp = draw(st.sampled_from([None, 65010]))
    listening = [service.name for service in of.services if service.port is not None]
    let_in = draw(st.lists(st.sampled_from(listening), unique=True, max_size=3)) if listening and seen_as else []
    link = Link(
        "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("one", "two"), seen_as, bgp,
        tuple(Incoming(name, draw(_SOURCES), port) for port, name in enumerate(sorted(let_in), 8440)),
    )  # fmt: skip
    services, taken = [], set[tuple[str | None, str]]()
    domain = draw(st.sampled_from([None, "api.bank.example"]))
    for service in of.services:
        route = draw(st.sampled_from([service.route, Route(f"/v1/{service.name}"), Route("/v1"), _at(service)]))
        if service.port is None or service.protocol is Protocol.TCP or (route and (route.host, route.path) in taken):
            route = None  # nothing that a manifest may say, and nothing that a REST API can pass
        if route is not None:
            taken.add((route.host, route.path))
        services.append(replace(service, route=route, strategy=draw(st.sampled_from(Strategy))))
    return replace(
        of, services=tuple(services), region=REGION, domain=domain, links=(link,) if behind or let_in else (),
        auth=(Issuer("customers", "https://id.bank.example", "bank"),),
    )  # fmt: skip


def _at(service: Service) -> Route:
    return Route("/", host=f"{service.name}.bank.example")
