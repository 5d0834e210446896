"""100,000 requests at the configuration that a manifest gives the twin's gateway: HAProxy itself, on loopback."""

import asyncio
import contextlib
import functools
import os
import random
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests import gateway_process, tokens
from tests.live import gateway_fuzz
from tests.live.gateway_fuzz import Service, Strict
from tests.unit.planning.topologies import drafted, service, topology

from anden.engines.local.render import haproxy
from anden.engines.local.render.haproxy import Server
from anden.model.ids import InstanceId, ServiceName
from anden.model.topology import Cors, Issuer, Rate, Route
from anden.planning.configuration import configure

pytestmark = pytest.mark.live
READABLE, ATTACKS, AT_ONCE = 96_000, 4_000, 8
ROUTES = {
    "accounts": Route("/accounts"),
    "deep": Route("/accounts/a", "api.bank.example"),
    "old": Route("/old", rewrite="/v2"),
    "open": Route("/open", rate_each=Rate(1_000_000, 60)),
    "pages": Route("/pages", cors=Cors(("https://app.bank.example",))),
    "secure": Route("/secure", auth="customers", scopes=("a",)),
    "small": Route("/small", body_bytes=64),
}


async def attacked(standing: Mapping[str, tuple[Service, socket.socket]], port: int, seed: int) -> Mapping[str, int]:
    """The services and who attacks them on one event loop: two threads would wait for each other most of the time."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(functools.partial(Strict, one), sock=listening) for one, listening in standing.values()
    ]
    try:
        return await gateway_fuzz.attack(port, seed, READABLE, ATTACKS, AT_ONCE)
    finally:
        for server in servers:
            server.close()


def test_nothing_breaks_and_nothing_gets_where_no_route_leads(tmp_path: Path) -> None:
    seed = int(os.environ.get("ANDEN_SEED") or random.randrange(2**32))  # noqa: S311 - printed, to be had again
    print(f"ANDEN_SEED={seed}")
    issuer = Issuer("customers", "https://id.bank.example", "bank", "k.json", (tokens.rsa_signer("1").public,))
    wanted = [service(name, route=route) for name, route in ROUTES.items()]
    configuration = configure(drafted(topology(*wanted, auth=(issuer,))), None, ())
    names = haproxy.listeners(configuration)
    with contextlib.ExitStack() as stack:
        standing = {
            name: (
                Service(name, (str(route.rewrite or route.path).encode(),)),
                stack.enter_context(socket.create_server(("127.0.0.1", 0))),
            )
            for name, route in ROUTES.items()
        }
        given = {one.fd: stack.enter_context(socket.create_server(("127.0.0.1", 0))).fileno() for one in names}
        servers = [
            Server(InstanceId(f"{name}-1"), ServiceName(name), IPv4Address("127.0.0.1"), at.getsockname()[1])
            for name, (_, at) in standing.items()
        ]
        gateway = stack.enter_context(gateway_process.running(tmp_path, configuration, servers, given))
        counted = asyncio.run(attacked(standing, gateway.port, seed))
        assert gateway.process.poll() is None
        logged = gateway.lines()  # each line is a document
    print(dict(sorted(counted.items())), {name: one.requests for name, (one, _) in standing.items()})
    assert {name: one.wrong[:3] for name, (one, _) in standing.items() if one.wrong} == {}
    assert [status for status in counted if status.startswith("5")] == []
    answered = sum(count for status, count in counted.items() if status.isdigit())
    assert answered >= READABLE
    assert len(logged) >= answered
    assert standing["secure"][0].requests == 0
    assert all(one.requests > 100 for name, (one, _) in standing.items() if name != "secure")
