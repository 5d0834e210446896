"""What a device's text proposes is taken by both of our sides: the twin's strongSwan and AWS's VPN connection.

Each device's text is read back, by a reader for each, into the same words; then both of our sides are. One proposal in
common at least for each phase, and none that either side would not take; networks that fit crosswise, the same
lifetimes, IKEv2, and one key for each tunnel.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from tests.unit.engines.aws.render.networks import network
from tests.unit.planning.devices.agreed import BOTH, CERTIFIED, CORE, OPENINGS, agreed
from tests.unit.planning.topologies import service, topology

from anden.engines.aws.render.template import text as canonical
from anden.engines.local.render.strongswan import Proof, connection
from anden.model.link import Agreement, PolicyName
from anden.model.topology import Link
from anden.planning.devices import DEVICES

Suite = tuple[str, str, str]
"""Encryption, integrity or (with GCM) pseudo-random function, group, in IANA's words of ours."""
EVERYTHING = frozenset({"0.0.0.0/0"})
CBC, GCM = "aes256", "aes256gcm"
NONE = "none"
"""In the place of an integrity, of ESP with GCM."""


@dataclass(frozen=True)
class Side:
    """What one side says of one tunnel. theirs, ours: the networks, the client's and the environment's."""

    version: int
    ike: frozenset[Suite]
    esp: frozenset[Suite]
    ike_s: int
    esp_s: int
    theirs: frozenset[str]
    ours: frozenset[str]
    addresses: tuple[str, str]
    """The client's, and our endpoint's."""
    key: str
    """Its name; `certificate of AUTHORITY` in its place."""
    inside: str | None = None
    """The client's in the tunnel."""


def suites(encryption: Sequence[str], integrity: Sequence[str], groups: Sequence[str]) -> frozenset[Suite]:
    return frozenset((e, i, g) for e in encryption for i in integrity for g in groups)


def within(narrow: frozenset[str], wide: frozenset[str]) -> bool:
    """Of what our side asks for the answerer takes its own part (RFC 7296, 2.9)."""
    return all(any(IPv4Network(one).subnet_of(IPv4Network(all_)) for all_ in wide) for one in narrow) and bool(narrow)


def cut(text: str, pattern: str) -> list[re.Match[str]]:
    return list(re.finditer(pattern, text, re.MULTILINE))


def one(text: str, pattern: str) -> str:
    found = set(re.findall(pattern, text, re.MULTILINE))
    assert len(found) == 1, (pattern, found)
    return str(found.pop())


def of(text: str, begins: str, ends: str) -> str:
    """The part between two lines."""
    return text.split(begins, 1)[1].split(ends, 1)[0]


# The readers.


def swan_suites(said: Sequence[str]) -> frozenset[Suite]:
    groups = {"modp2048": "14", "ecp256": "19", "ecp384": "20"}
    found: set[Suite] = set()
    for proposal in said:
        words = proposal.split("-")
        encryption = [{"aes256": CBC, "aes256gcm16": GCM}[w] for w in words if w.startswith("aes")]
        integrity = [w.removeprefix("prf") for w in words if "sha" in w] or [NONE]
        found |= suites(encryption, integrity, [groups[w] for w in words if w in groups])
    return frozenset(found)


def swan_end(said: str, over: str) -> int:
    return int(said.removesuffix("s")) + int(over.removesuffix("s"))


def strongswan(text: str, agreement: Agreement, number: int) -> Side:
    part = of(text, f"    core-{number} {{\n", "\n    }\n")
    listed = {name: one(part, rf"^\s+{name} = (.*)$").split(", ") for name in ("local_ts", "remote_ts")}
    ike, esp = (swan_suites(one(part, rf"^\s+{name} = (.*)$").split(", ")) for name in ("proposals", "esp_proposals"))
    first, _ = (each[1] for each in cut(part, r"rekey_time = (\d+)s"))
    return Side(
        int(one(part, r"version = (\d)")), ike, esp,
        swan_end(first, one(part, r"over_time = (\d+)s")), int(one(part, r"life_time = (\d+)s")),
        frozenset(listed["local_ts"]), frozenset(listed["remote_ts"]),
        (one(part, r"local_addrs = (.*)"), one(part, r"remote_addrs = (.*)")), swan_proof(text, part, number),
    )  # fmt: skip


def swan_proof(text: str, part: str, number: int) -> str:
    local, remote = of(part, "local {", "}"), of(part, "remote {", "}")
    assert one(local, "id = (.*)") == one(part, "local_addrs = (.*)")
    assert one(remote, "id = (.*)") == one(part, "remote_addrs = (.*)")
    if one(part, "auth = (.*)") == "psk":
        return one(of(text, f"    ike-core-{number} {{\n", "    }\n"), r"the value of (\S+),")
    assert (one(part, "auth = (.*)"), one(local, "certs = (.*)")) == ("pubkey", "core.pem")
    return f"certificate of {one(remote, 'cacerts = (.*)').removesuffix('.pem')}"


def cisco_ios(text: str, agreement: Agreement, number: int) -> Side:
    policy = of(text, "crypto ikev2 policy core\n", "!")
    ike: set[Suite] = set()
    for name in re.findall(r"proposal (\S+)", policy):
        part = of(text, f"crypto ikev2 proposal {name}\n", "!")
        encryption = {"aes-cbc-256": CBC, "aes-gcm-256": GCM}[one(part, r"encryption (\S+)")]
        integrity = one(part, "prf (.*)" if encryption == GCM else "integrity (.*)").split()
        ike |= suites([encryption], integrity, one(part, r"group (.*)").split())
    profile, ipsec = (of(text, f"crypto {each} profile core-{number}\n", "!") for each in ("ikev2", "ipsec"))
    interface = of(text, f"interface Tunnel{100 + number}\n", "!")
    assert f"tunnel protection ipsec profile core-{number}" in interface
    assert f"set ikev2-profile core-{number}" in ipsec
    esp: set[Suite] = set()
    for name in one(ipsec, r"set transform-set (.*)").split():
        said = one(text, rf"crypto ipsec transform-set {name} (.*)")
        encryption, hashed = {"esp-aes 256 esp-sha256-hmac": (CBC, "sha256"), "esp-gcm 256": (GCM, NONE)}[said]
        esp |= suites([encryption], [hashed], [one(ipsec, r"set pfs group(\d+)")])
    listed = one(interface, r"policy ipv4 (\S+)")
    entries = of(text, f"ip access-list extended {listed}\n", "!").strip().splitlines()
    pairs = [entry.split()[2:] for entry in entries]
    if "pre-share" in profile:
        keys = of(text, f" peer core-{number}\n", "the value of") + of(text, f" peer core-{number}\n", ", handed")
        assert one(keys, r"^  address (\S+)") == one(interface, r"tunnel destination (\S+)")
        key = one(keys, r"the value of (\S+)$")
    else:
        assert {"authentication remote rsa-sig", "authentication remote ecdsa-sig", "authentication local rsa-sig"} <= {
            line.strip() for line in profile.splitlines()
        }
        trust = of(text, f"crypto pki trustpoint {one(profile, 'pki trustpoint (.*)')}\n", "\n!")
        key = "certificate of " + one(trust, r"the authority (\S+),")
    return Side(
        2, frozenset(ike), frozenset(esp), int(one(profile, r"lifetime (\d+)")), int(one(ipsec, r"seconds (\d+)")),
        frozenset(str(IPv4Network((pair[0], pair[1]))) for pair in pairs),
        frozenset(str(IPv4Network((pair[2], pair[3]))) for pair in pairs),
        (one(profile, r"identity local address (\S+)"), one(profile, r"remote address (\S+) ")),
        key, one(interface, r"ip address (\S+) 255.255.255.252"),
    )  # fmt: skip


def fortinet(text: str, agreement: Agreement, number: int) -> Side:
    def edit(section: str, name: str) -> str:
        return of(of(text, f"config {section}\n", "\nend\n"), f'edit "{name}"\n', "    next")

    def members(name: str) -> frozenset[str]:
        if f'edit "{name}"' in of(text, "config firewall addrgrp\n", "\nend\n"):
            return frozenset().union(
                *map(members, re.findall(r'"(\S+)"', one(edit("firewall addrgrp", name), "member (.*)")))
            )
        return frozenset({str(IPv4Network(one(edit("firewall address", name), "subnet (.*)").replace(" ", "/")))})

    def offered(part: str) -> frozenset[Suite]:
        found: set[Suite] = set()
        for word in one(part, "set proposal (.*)").split():
            encryption, _, integrity = word.partition("-")
            groups = one(part, "set dhgrp (.*)").split()
            found |= suites([encryption], [integrity.removeprefix("prf") or NONE], groups)
        return frozenset(found)

    def proof(first: str) -> str:
        if "authmethod signature" not in first:
            assert "peertype any" in first
            return one(first, r"the value of (\S+),")
        peer = edit("user peer", one(first, 'set peer "(.*)"'))
        assert one(peer, 'set cn "(.*)"') == one(first, "remote-gw (.*)")
        assert one(first, 'set localid "(.*)"') == one(first, "local-gw (.*)")
        assert one(first, 'set certificate "(.*)"') == "core"
        return "certificate of " + one(peer, 'set ca "(.*)"')

    first, second = (edit(f"vpn ipsec phase{phase}-interface", f"core-{number}") for phase in (1, 2))
    interface = edit("system interface", f"core-{number}")
    assert one(second, 'phase1name "(.*)"') == f"core-{number}"
    return Side(
        int(one(first, r"ike-version (\d)")), offered(first), offered(second),
        int(one(first, r"keylife (\d+)")), int(one(second, r"keylifeseconds (\d+)")),
        members(one(second, 'src-name "(.*)"')), members(one(second, 'dst-name "(.*)"')),
        (one(first, "local-gw (.*)"), one(first, "remote-gw (.*)")), proof(first),
        one(interface, r"set ip (\S+)"),
    )  # fmt: skip


def palo_alto(text: str, agreement: Agreement, number: int) -> Side:
    def said(place: str) -> str:
        return one(text, rf"^#? ?set {place} (.*)$").strip("[ ]")

    def profile(kind: str, before: str, hashes: str) -> tuple[frozenset[Suite], int]:
        at = f"network ike crypto-profiles {kind}-crypto-profiles anden-core"
        (encryption,) = said(f"{at} {before}encryption").split()
        groups = [word.removeprefix("group") for word in said(f"{at} dh-group").split()]
        hashed = said(f"{at} {hashes}").split()
        if encryption == "aes-256-gcm":  # of IKE the function goes by the group; of ESP there is none
            assert (hashed == ["non-auth"]) == (kind == "ike")
            hashed = [{"20": "sha384"}.get(one(" ".join(groups), r"\d+"), "sha256") if kind == "ike" else NONE]
        found = suites([{"aes-256-cbc": CBC, "aes-256-gcm": GCM}[encryption]], hashed, groups)
        return found, 3600 * int(said(f"{at} lifetime hours"))

    (ike, ike_s), (esp, esp_s) = profile("ike", "", "hash"), profile("ipsec", "esp ", "esp authentication")
    gateway, tunnel = f"network ike gateway anden-core-{number}", f"network tunnel ipsec anden-core-{number}"
    assert said(f"{tunnel} auto-key ike-gateway") == f"anden-core-{number}"
    assert said(f"{gateway} protocol ikev2 ike-crypto-profile") == "anden-core"
    theirs, ours = re.fullmatch(
        r"local (\S+) remote (\S+) protocol any", said(f"{tunnel} auto-key proxy-id anden-core")
    ).groups()  # type: ignore[union-attr]
    if " authentication certificate " in text:
        assert said(f"{gateway} authentication certificate local-certificate name") == "core"
        assert said(f"{gateway} authentication certificate allow-id-payload-mismatch") == "no"
        profile_ = said(f"{gateway} authentication certificate certificate-profile")
        key = f"certificate of {said(f'shared certificate-profile {profile_} CA')}"
    else:
        key = one(said(f"{gateway} authentication pre-shared-key key"), r"the value of (\S+),")
    return Side(
        int(said(f"{gateway} protocol version").removeprefix("ikev")), ike, esp, ike_s, esp_s,
        frozenset({theirs}), frozenset({ours}),
        (said(f"{gateway} local-id type ipaddr id"), said(f"{gateway} peer-address ip")), key,
        said(f"network interface tunnel units {said(f'{tunnel} tunnel-interface')} ip").removesuffix("/30"),
    )  # fmt: skip


READERS: Mapping[str, Callable[[str, Agreement, int], Side]] = {
    "strongswan": strongswan, "cisco-ios": cisco_ios, "fortinet": fortinet, "palo-alto": palo_alto,
}  # fmt: skip


# Our two sides.


def test_every_device_with_a_tunnel_is_read() -> None:
    assert set(READERS) == {name for name, device in DEVICES.items() if not device.bgp_only}


def twin(agreement: Agreement, number: int) -> Side:
    tunnel = agreement.tunnels[number - 1]
    proof = Proof("ours", "core-authority", "key", 0.0, 1.0) if agreement.certified else None
    said: Any = connection(agreement, tunnel, proof)["core"]
    key = f"certificate of {said['remote']['cacerts'][0]}" if proof else tunnel.key
    assert said["local"]["auth"] == said["remote"]["auth"] == ("pubkey" if proof else "psk")
    child = said["children"]["net"]
    return Side(
        int(said["version"]), swan_suites(said["proposals"]), swan_suites(child["esp_proposals"]),
        swan_end(said["rekey_time"], said["over_time"]), int(child["life_time"].removesuffix("s")),
        frozenset(child["remote_ts"]), frozenset(child["local_ts"]),
        (said["remote"]["id"], said["local"]["id"]), key, str(tunnel.ours.inside.ip + 1),  # type: ignore[union-attr]
    )  # fmt: skip


def aws(agreement: Agreement, link: Link, number: int) -> Side:
    """The template's; our endpoint's address is AWS's to choose, and is taken from the agreement."""
    found = network(topology(service("web"), links=(link,), region="us-east-1"))
    (its,) = found.of("EC2::VPNConnection").values()
    (peer,) = found.of("EC2::CustomerGateway").values()
    tunnel = its["VpnTunnelOptionsSpecifications"][number - 1]

    def offered(phase: str) -> frozenset[Suite]:
        encryption, integrity, groups = (
            [each["Value"] for each in tunnel[f"{phase}{sort}"]]
            for sort in ("EncryptionAlgorithms", "IntegrityAlgorithms", "DHGroupNumbers")
        )
        spelled = {"AES256": CBC, "AES256-GCM-16": GCM}
        hashes = [each.lower().replace("sha2-", "sha") for each in integrity]
        return frozenset(
            suite
            for each in encryption
            for suite in suites(
                [spelled[each]],
                [NONE] if phase == "Phase2" and "GCM" in each else hashes,
                [str(each) for each in groups],
            )
        )

    (version,) = tunnel["IKEVersions"]
    inside = IPv4Network(tunnel["TunnelInsideCidr"])
    if link.certificate:
        said = peer["CertificateArn"]["Fn::Sub"]
        for word, value in (("Partition", "aws"), ("Region", "us-east-1"), ("AccountId", "111122223333")):
            said = said.replace(f"${{AWS::{word}}}", value)
        assert said == link.certificate
        assert "PreSharedKey" not in tunnel
        key = "certificate of core-authority"  # which one it is AWS is told by the certificate's ARN
    else:
        found_key = re.search(r"/(vpn-\d)", canonical(tunnel["PreSharedKey"]))
        assert found_key is not None
        key = found_key[1]
    return Side(
        int(version["Value"].removeprefix("ikev")), offered("Phase1"), offered("Phase2"),
        tunnel["Phase1LifetimeSeconds"], tunnel["Phase2LifetimeSeconds"],
        frozenset({its.get("LocalIpv4NetworkCidr", "0.0.0.0/0")}), frozenset({its["RemoteIpv4NetworkCidr"]}),
        (peer["IpAddress"], str(agreement.tunnels[number - 1].ours.address)), key, str(inside[2]),
    )  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("link", [CORE, CERTIFIED], ids=["keys", "certificates"])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("policy", PolicyName)
def test_both_of_our_sides_take_what_a_device_says(name: str, link: Link, number: int, policy: PolicyName) -> None:
    link = replace(link, policy=policy)
    agreement = agreed(link)
    said = READERS[name](DEVICES[name].render(agreement, OPENINGS), agreement, number)
    for ours in (twin(agreement, number), aws(agreement, link, number)):
        assert said.version == ours.version == 2
        assert said.ike <= ours.ike
        assert said.ike
        assert said.esp <= ours.esp
        assert said.esp
        assert (said.ike_s, said.esp_s) == (ours.ike_s, ours.esp_s)
        assert within(said.theirs, ours.theirs)
        assert said.ours == ours.ours
        assert said.addresses == ours.addresses
        assert said.key == ours.key
        assert said.inside in (None, ours.inside)


@pytest.mark.parametrize("policy", PolicyName)
def test_the_twin_and_aws_say_the_same_but_for_what_lies_behind_the_link(policy: PolicyName) -> None:
    core = replace(CORE, policy=policy)
    agreement = agreed(core)
    for number in (1, 2):
        ours = twin(agreement, number)
        assert ours.theirs == {"10.20.0.0/16"}
        assert replace(ours, theirs=EVERYTHING) == aws(agreement, core, number)


def test_a_policy_of_one_proposal_is_taken_by_no_device_of_another() -> None:
    told = {
        policy: strongswan(DEVICES["strongswan"].render(agreed(replace(CORE, policy=policy)), ()), agreed(), 1)
        for policy in PolicyName
    }
    assert told[PolicyName.GCM_384].ike == {(GCM, "sha384", "20")}
    assert told[PolicyName.GCM_384].esp == {(GCM, NONE, "20")}
    assert told[PolicyName.CBC_256].ike == told[PolicyName.CBC_256].esp == {(CBC, "sha256", "14")}
    assert told[PolicyName.CBC_256].ike <= told[PolicyName.AWS].ike


@pytest.mark.parametrize("name", ["strongswan", "fortinet"])
def test_several_networks_are_the_twins_and_aws_asks_for_everything(name: str) -> None:
    agreement = agreed(BOTH)
    said = READERS[name](DEVICES[name].render(agreement, OPENINGS), agreement, 1)
    assert said.theirs == twin(agreement, 1).theirs == {"10.20.0.0/16", "10.22.0.0/16"}
    assert aws(agreement, BOTH, 1).theirs == EVERYTHING
    assert said.ours == aws(agreement, BOTH, 1).ours
