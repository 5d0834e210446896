"""Configurations that the renders are shown with, and how to compare with a golden file."""

import os
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from anden.engines.local.render.haproxy import Server
from anden.model.blueprint import Layout, Zone
from anden.model.configuration import (
    AllowDestination,
    AllowIncoming,
    AllowName,
    AllowService,
    Backend,
    Configuration,
    GatewayRoute,
    Leave,
    Linked,
    Member,
    Transport,
)
from anden.model.ids import DestinationName, InstanceId, ServiceName, ZoneName
from anden.model.manners import AWS
from anden.model.secret import SecretRef
from anden.model.topology import Link, Protocol

GOLDEN = Path(__file__).parent / "golden"

LAYOUT = Layout(
    network=IPv4Network("172.30.0.0/16"),
    resolver=IPv4Address("172.30.0.2"),
    names=IPv4Network("172.30.64.0/19"),
    balancer=IPv4Address("172.30.112.4"),
    zones=(
        Zone(ZoneName("a"), *map(IPv4Network, ("172.30.0.0/21", "172.30.128.0/19", "172.30.32.0/21"))),
        Zone(ZoneName("b"), *map(IPv4Network, ("172.30.8.0/21", "172.30.160.0/19", "172.30.40.0/21"))),
    ),
)


def member(address: str, zone: str) -> Member:
    return Member(IPv4Address(address), ZoneName(zone))


ACCOUNTS = Backend(
    ServiceName("accounts"), 1, (member("172.30.128.4", "a"), member("172.30.160.4", "b")), 8080,
    address=IPv4Address("172.30.64.4"), health_path="/health",
)  # fmt: skip
LEDGER = Backend(
    ServiceName("ledger"), 2, (member("172.30.128.5", "a"), member("172.30.160.5", "b")), 8080, Protocol.HTTP2,
    IPv4Address("172.30.64.5"), "/healthz", 5.0, also=(8000,),
)  # fmt: skip
QUEUE = Backend(
    ServiceName("queue"), 3, (member("172.30.128.6", "a"),), 5672, Protocol.TCP, IPv4Address("172.30.64.6"), None, 30.0
)
WORKER = Backend(ServiceName("worker"), 4, (member("172.30.128.7", "a"),))

SMALLEST = Configuration(
    LAYOUT,
    (Backend(ServiceName("web"), 1, (member("172.30.128.4", "a"),), 8080, address=IPv4Address("172.30.64.4")),),
    routes=(GatewayRoute("/", ServiceName("web")),),
)
BANK = Configuration(
    LAYOUT,
    (ACCOUNTS, LEDGER, QUEUE, WORKER),
    allows=(
        AllowService(ServiceName("accounts"), ServiceName("ledger"), 8080),
        AllowService(ServiceName("accounts"), ServiceName("queue"), 5672),
        AllowService(ServiceName("ledger"), ServiceName("ledger"), 8080),
        AllowService(ServiceName("worker"), ServiceName("queue"), 5672),
    ),
    allows_out=(
        AllowDestination(ServiceName("accounts"), DestinationName("exchange"), IPv4Network("198.51.100.7/32"), 443),
        AllowDestination(
            ServiceName("worker"), DestinationName("clock"), IPv4Network("192.0.2.0/24"), 123, Transport.UDP
        ),
        AllowDestination(ServiceName("worker"), DestinationName("near"), IPv4Network("192.0.2.0/25"), 443),
        AllowDestination(ServiceName("worker"), DestinationName("wide"), IPv4Network("192.0.2.0/24"), 443),
    ),
    routes=(
        GatewayRoute("/accounts", ServiceName("accounts")),
        GatewayRoute("/accounts/admin", ServiceName("accounts"), refused="route /accounts/admin: auth is not enforced"),
        GatewayRoute("/accounts/v2", ServiceName("ledger"), "api.bank.example"),
        GatewayRoute("/queue", ServiceName("queue")),
        GatewayRoute("/", ServiceName("ledger"), "api.bank.example"),
    ),
    names_out=(
        AllowName(ServiceName("accounts"), DestinationName("mail"), "smtp.mail.example", 587),
        AllowName(ServiceName("ledger"), DestinationName("rates"), "api.rates.example", 443),
        AllowName(ServiceName("ledger"), DestinationName("rates-old"), "api.rates.example", 8443),
    ),
    never=(IPv4Network("10.0.0.0/8"), IPv4Network("172.30.0.0/16")),
    leaves=(Leave(ZoneName("a"), IPv4Address("203.0.113.11")), Leave(ZoneName("b"), IPv4Address("203.0.113.12"))),
)
SERVERS = (
    Server(
        InstanceId("ledger-1"), ServiceName("ledger"), IPv4Address("172.30.128.5"), 8080, "/healthz", Protocol.HTTP2
    ),
    Server(InstanceId("accounts-2"), ServiceName("accounts"), IPv4Address("172.30.160.4"), 8080),
    Server(InstanceId("accounts-1"), ServiceName("accounts"), IPv4Address("172.30.128.4"), 8080, "/up"),
    Server(InstanceId("queue-1"), ServiceName("queue"), IPv4Address("172.30.128.6"), 5672, None, Protocol.TCP),
)
BANK_AS_AWS = replace(
    BANK,
    backends=tuple(
        replace(each, more=(each.address + 1000,)) if each.address is not None else each for each in BANK.backends
    ),
    manners=AWS,
)
CORE = Link(
    "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)  # fmt: skip
LET_IN = replace(
    BANK,
    links=(Linked(CORE, 1, (SecretRef("vpn-1", "1"), SecretRef("vpn-2", "1"))),),
    allows_in=(
        AllowIncoming("core", 5672, ServiceName("queue"), IPv4Network("10.20.4.0/24")),
        AllowIncoming("core", 8443, ServiceName("ledger"), IPv4Network("10.20.0.0/16")),
        AllowIncoming("core", 8443, ServiceName("ledger"), IPv4Network("10.20.8.1/32")),
    ),
)
CASES = {"smallest": SMALLEST, "bank": BANK, "bank-as-aws": BANK_AS_AWS}
LINKED = {"let-in": LET_IN, "let-in-as-aws": replace(LET_IN, manners=AWS)}
"""What only the balancer and the firewall know of."""


def golden(name: str, text: str) -> None:
    """Compare with the file of that name; ANDEN_GOLDEN=write writes it instead."""
    file = GOLDEN / name
    if os.environ.get("ANDEN_GOLDEN") == "write":
        file.write_text(text)
    assert file.read_text() == text, f"{name} differs; ANDEN_GOLDEN=write pytest ... accepts it"
