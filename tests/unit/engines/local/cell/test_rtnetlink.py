"""What the routing socket is told and says, in a network namespace of the test's own."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest

from anden.engines.local.cell import netns
from anden.engines.local.cell.rtnetlink import BLACKHOLE, LOCAL, MAIN, OWN, Rtnetlink, index

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a network namespace needs root on Linux"
)
HERE, ROUTER, FAR = IPv4Address("10.9.0.7"), IPv4Address("169.254.1.1"), IPv4Address("10.9.0.8")
ANYWHERE = IPv4Network("0.0.0.0/0")


def ip(*words: str) -> list[str]:
    done = subprocess.run(["ip", "-4", *words], capture_output=True, text=True, check=True)
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def apart(scenario: Callable[[], None]) -> None:
    def work() -> None:
        netns.unshare()
        scenario()

    netns.apart(work)


def test_a_cable_an_address_and_routes() -> None:
    def scenario() -> None:
        with Rtnetlink() as asked:
            here = netns.current()
            asked.cable("eth0", "other", here)
            os.close(here)
            cable = index("eth0")
            assert cable is not None
            assert index("other") not in (None, cable)
            for _ in range(2):  # the same again is not an error
                asked.address(cable, HERE)
                asked.up(cable, "a note")
                asked.route(ANYWHERE, out=cable, by=ROUTER, source=HERE, metrics=((15, 1),))
                asked.route(IPv4Network("10.10.0.0/16"), kind=BLACKHOLE)
                asked.route(IPv4Network("10.11.0.0/16"), kind=OWN, out=1)
                asked.route(IPv4Network(FAR), out=cable)
            assert asked.addresses() == [(cable, str(HERE))]
            assert asked.defaults() == [str(HERE)]
            routes = ip("route", "show", "table", "all")
            (default,) = [route for route in routes if route.startswith("default")]
            assert f"via {ROUTER} dev eth0 proto static src {HERE}" in default
            assert "onlink" in default
            assert "quickack 1" in default
            assert any(route.startswith("blackhole 10.10.0.0/16") for route in routes)
            assert any(route.startswith("local 10.11.0.0/16 dev lo table local") for route in routes)
            assert any(route.startswith(f"{FAR} dev eth0") for route in routes)
            asked.remove(cable)
            assert index("other") is None

    apart(scenario)


def test_rules() -> None:
    def scenario() -> None:
        with Rtnetlink() as asked:
            assert asked.rules() == [0, 32766, 32767]
            for _ in range(2):
                asked.rule(5, MAIN, incoming="lo")
                asked.rule(10, LOCAL)
            asked.unrule(0, LOCAL)
            assert asked.rules() == [5, 10, 32766, 32767]
            assert ip("rule")[0] == "5: from all iif lo lookup main"

    apart(scenario)


def test_what_the_kernel_refuses_is_an_operating_error() -> None:
    def scenario() -> None:
        with Rtnetlink() as asked, pytest.raises(OSError, match="the kernel refused") as refused:
            asked.up(4242)
        assert refused.value.errno == errno.ENODEV
        with Rtnetlink() as asked:
            here = netns.current()
            asked.cable("eth0", "other", here)
            with pytest.raises(FileExistsError):
                asked.cable("eth0", "another", here)
            os.close(here)

    apart(scenario)
