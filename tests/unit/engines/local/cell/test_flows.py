"""Flows that the kernel's connection tracking forgets, in a network namespace of the test's own: thousands at once, and
only those of the address."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from anden.engines.local.cell import flows, netns
from anden.engines.local.cell.netlink import Netlink
from anden.engines.local.cell.rtnetlink import Rtnetlink

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a network namespace needs root on Linux"
)
LEFT, RIGHT, OTHER = (IPv4Address(each) for each in ("10.9.0.1", "10.9.0.2", "10.9.0.3"))
MANY = 2 * flows.AT_ONCE + 1
TRACK = "add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c ct state new accept"


def apart(scenario: Callable[[], None]) -> None:
    def work() -> None:
        netns.unshare()
        with Rtnetlink() as here:
            here.up(1)
            for address in (LEFT, RIGHT, OTHER):
                here.address(1, address)
        subprocess.run(["nft", TRACK], check=True)
        scenario()

    netns.apart(work)


def say(source: IPv4Address, target: IPv4Address, times: int) -> None:
    """So many flows of one datagram."""
    for port in range(20_000, 20_000 + times):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as saying:
            saying.bind((str(source), port))
            saying.sendto(b"a word", (str(target), 9))


def test_all_flows_of_an_address_are_forgotten_whichever_side_it_was_on() -> None:
    def scenario() -> None:
        say(LEFT, OTHER, MANY)
        say(OTHER, LEFT, MANY)
        assert flows.forget(LEFT) == 2 * MANY
        assert flows.forget(LEFT) == 0

    apart(scenario)


def test_flows_of_others_stay() -> None:
    def scenario() -> None:
        say(LEFT, OTHER, 3)
        say(RIGHT, OTHER, 5)
        assert flows.forget(LEFT) == 3
        assert flows.forget(IPv4Address("10.9.0.200")) == 0
        assert flows.forget(RIGHT) == 5

    apart(scenario)


def test_one_that_ended_by_itself_meanwhile_is_no_error() -> None:
    def scenario() -> None:
        say(LEFT, OTHER, 4)
        with Netlink(flows.NETFILTER) as tracking:
            found = flows._found(tracking, LEFT, *next(iter(flows._SIDES.items())))
            assert len(found) == 4
            for _ in range(2):
                flows._delete(tracking, LEFT, found)
        assert flows.forget(LEFT) == 0

    apart(scenario)


def test_a_refusal_is_an_error_of_the_systems() -> None:
    def scenario() -> None:
        with (
            Netlink(flows.NETFILTER) as tracking,
            pytest.raises(OSError, match="the kernel does not forget the flows of"),
        ):
            flows._delete(tracking, LEFT, [b"\x08\x00\x01\x80\x00\x00\x00\x00"])  # a flow without addresses

    apart(scenario)
