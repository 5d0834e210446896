"""What a device's text says of BGP fits both of our sides: the twin's BIRD, and AWS's connection and customer gateway.

Each text is read back, by a reader for each: AS numbers, neighbours, timers, what is announced and what is taken.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

import pytest
from tests.unit.engines.aws.render.networks import network
from tests.unit.planning.devices.agreed import OPENINGS, SPEAKING, agreed
from tests.unit.planning.devices.test_both_accept import of, one, strongswan, twin, within
from tests.unit.planning.topologies import service, topology

from anden.engines.local.render import bird as ours
from anden.model.link import OUR_ASN
from anden.planning.devices import DEVICES

BEHIND = frozenset({"10.20.0.0/16", "10.22.0.0/16"})
SEEN_AS = frozenset({"100.64.10.0/26"})


@dataclass(frozen=True)
class Said:
    """One session, as one side says it. timers: keepalive and hold. metric: None: none is said."""

    own: int
    other: int
    here: str
    there: str
    timers: tuple[int, int]
    announced: frozenset[str]
    taken: frozenset[str]
    metric: int | None = None

    @property
    def crosswise(self) -> "Said":
        return Said(self.other, self.own, self.there, self.here, self.timers, self.taken, self.announced)


def masked(pairs: list[tuple[str, str]]) -> frozenset[str]:
    return frozenset(str(IPv4Network(pair)) for pair in pairs)


def bird(text: str, name: str) -> Said:
    part = of(text, f"protocol bgp {name} {{\n", "\n}\n")
    here, own = re.findall(r"local (\S+) as (\d+);", part)[0]
    there, other = re.findall(r"neighbor (\S+) as (\d+);", part)[0]
    assert 'proto = "announced"' in one(part, r"export filter (.*)")
    assert one(part, r"import filter (\w+);") == "taken"
    taken = re.fullmatch(r"    if net ~ \[ (.*) \] then accept;\n    reject;\n", of(text, "filter taken {\n", "}"))
    assert taken is not None
    metric = re.findall(r"bgp_med = (\d+);", part)
    return Said(
        int(own), int(other), here, there,
        (int(one(part, r"keepalive time (\d+)")), int(one(part, r"hold time (\d+)"))),
        frozenset(re.findall(r"route (\S+) blackhole;", of(text, "protocol static announced {\n", "}"))),
        frozenset(taken[1].split(", ")), int(metric[0]) if metric else None,
    )  # fmt: skip


def client_bird(text: str, number: int) -> Said:
    return bird(text, f"core_{number}")


def cisco_ios(text: str, number: int) -> Said:
    interface = of(text, f"interface Tunnel{100 + number}\n", "!")
    assert "protection ipsec policy" not in interface  # it speaks for everything
    here = one(interface, r"ip address (\S+) ")
    spoken = of(text, "router bgp ", "\n!\n")
    (there,) = [each for each in re.findall(r"neighbor (\S+) activate", spoken) if beside(each, here)]
    its = re.escape(there)
    keepalive, hold = one(spoken, rf"neighbor {its} timers (\d+ \d+)$").split()
    maps = of(text, f"route-map {one(spoken, rf'neighbor {its} route-map (.*) out')} permit 10\n", "!")

    def prefixes(name: str) -> frozenset[str]:
        return frozenset(re.findall(rf"ip prefix-list {name} seq \d+ permit (\S+)", text))

    announced = masked(re.findall(r"network (\S+) mask (\S+)", spoken))
    assert announced == prefixes(one(maps, r"match ip address prefix-list (.*)"))
    return Said(
        int(spoken.split()[0]), int(one(spoken, rf"neighbor {its} remote-as (\d+)")), here, there,
        (int(keepalive), int(hold)), announced, prefixes(one(spoken, rf"neighbor {its} prefix-list (.*) in")),
        int(one(maps, r"set metric (\d+)")),
    )  # fmt: skip


def fortinet(text: str, number: int) -> Said:
    def edit(section: str, name: str) -> str:
        return of(of(text, f"config {section}\n", "\nend\n"), f'    edit "{name}"\n', "\n    next")

    def prefixes(name: str) -> frozenset[str]:
        return masked(re.findall(r"set prefix (\S+) (\S+)", edit("router prefix-list", name)))

    assert "src-subnet 0.0.0.0 0.0.0.0" in edit("vpn ipsec phase2-interface", f"core-{number}")
    interface = edit("system interface", f"core-{number}")
    here, there = one(interface, r"set ip (\S+)"), one(interface, r"set remote-ip (\S+)")
    spoken = of(text, "config router bgp\n", "\nend\n")
    its = of(spoken, f'edit "{there}"\n', "        next")
    maps = edit("router route-map", one(its, 'route-map-out "(.*)"'))
    announced = masked(re.findall(r"set prefix (\S+) (\S+)", spoken))
    assert announced == prefixes(one(maps, 'match-ip-address "(.*)"'))
    return Said(
        int(one(spoken, r"^    set as (\d+)")), int(one(its, r"remote-as (\d+)")), here, there,
        (int(one(its, r"keep-alive-timer (\d+)")), int(one(its, r"holdtime-timer (\d+)"))), announced,
        prefixes(one(its, 'prefix-list-in "(.*)"')), int(one(maps, r"set-metric (\d+)")),
    )  # fmt: skip


def palo_alto(text: str, number: int) -> Said:
    bgp, its = "set network virtual-router default protocol bgp", f"anden-core-{number}"
    peer = f"{bgp} peer-group {its} peer {its}"
    into, out = f"{bgp} policy import rules {its}", f"{bgp} policy export rules {its}"
    assert "proxy-id" not in text
    for way in ("import", "export"):  # what no rule before takes is denied
        assert f"{bgp} policy {way} rules anden-core-x match address-prefix 0.0.0.0/0 exact no" in text
        assert f"{bgp} policy {way} rules anden-core-x action deny" in text
    interface, here = one(text, rf"^{peer} local-address interface (\S+ ip \S+)/30$").split(" ip ")
    assert here == one(text, rf"units {interface} ip (\S+)/30$")
    announced = frozenset(re.findall(rf"^{out} match address-prefix (\S+) exact yes$", text, re.MULTILINE))
    assert announced == frozenset(re.findall(rf"^{bgp} redist-rules (\S+) enable yes$", text, re.MULTILINE))
    return Said(
        int(one(text, rf"^{bgp} local-as (\d+)$")), int(one(text, rf"^{peer} peer-as (\d+)$")), here,
        one(text, rf"^{peer} peer-address ip (\S+)$"),
        (int(one(text, r"keep-alive-interval (\d+)$")), int(one(text, r"hold-time (\d+)$"))), announced,
        frozenset(re.findall(rf"^{into} match address-prefix (\S+) exact yes$", text, re.MULTILINE)),
        int(one(text, rf"^{out} action allow update med (\d+)$")),
    )  # fmt: skip


def beside(one: str, other: str) -> bool:
    return IPv4Network((one, 30), strict=False) == IPv4Network((other, 30), strict=False)


READERS: Mapping[str, Callable[[str, int], Said]] = {
    "bird": client_bird, "cisco-ios": cisco_ios, "fortinet": fortinet, "palo-alto": palo_alto,
}  # fmt: skip
"""strongSwan speaks none: BIRD does beside it."""


def test_every_device_is_read() -> None:
    assert {*READERS, "strongswan"} == set(DEVICES)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("number", [1, 2])
def test_both_of_our_sides_speak_with_a_device(name: str, number: int) -> None:
    agreement = agreed(SPEAKING)
    said = READERS[name](DEVICES[name].render(agreement, OPENINGS), number)
    assert said.announced == BEHIND
    assert said.taken == SEEN_AS
    assert said.metric == 100 * number  # the first is preferred
    own = bird(ours.ours(agreement, agreement.tunnels[number - 1]), ours.SESSION)
    assert replace(said, metric=None) == own.crosswise
    found = network(topology(service("web"), links=(SPEAKING,), region="us-east-1"))
    ((peer,), (its,)) = found.of("EC2::CustomerGateway").values(), found.of("EC2::VPNConnection").values()
    (gateway,) = found.of("EC2::VPNGateway").values()
    assert its["StaticRoutesOnly"] is False
    assert said.own == peer["BgpAsn"]
    assert said.other == gateway.get("AmazonSideAsn", OUR_ASN)
    inside = IPv4Network(its["VpnTunnelOptionsSpecifications"][number - 1]["TunnelInsideCidr"])
    assert (said.there, said.here) == (str(inside[1]), str(inside[2]))


@pytest.mark.parametrize("number", [1, 2])
def test_the_neighbours_of_a_tunnel_and_no_others_pass_its_channels(number: int) -> None:
    """strongSwan on both sides: the same networks, and two addresses more that are this tunnel's."""
    agreement = agreed(SPEAKING)
    said = strongswan(DEVICES["strongswan"].render(agreement, OPENINGS), agreement, number)
    own = twin(agreement, number)
    assert (said.theirs, said.ours) == (own.theirs, own.ours)
    spoken = bird(ours.ours(agreement, agreement.tunnels[number - 1]), ours.SESSION)
    assert said.theirs == BEHIND | {f"{spoken.there}/32"}
    assert said.ours == SEEN_AS | {f"{spoken.here}/32"}
    assert within(said.theirs, frozenset({"0.0.0.0/0"}))
