"""What AWS refuses of links' networks: each combination of its table, and nothing of what it takes."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests.unit.engines.aws.render.networks import BANK, CORE

from anden.engines.aws.render.account import OWN_FAMILIES
from anden.engines.aws.render.limits import problems
from anden.engines.aws.render.naming import RESERVED_ENVIRONMENTS
from anden.engines.aws.render.organization import ORGANIZATION
from anden.model.mark import Mark
from anden.model.topology import Incoming, Link, Route, Strategy, Topology


def seen(block: str, network: str | None = "172.30.0.0/16", zones: int = 1, **link: object) -> Topology:
    changed = replace(CORE, **{"seen_as": IPv4Network(block), "networks": (IPv4Network("192.0.2.0/24"),), **link})  # type: ignore[arg-type]
    own = IPv4Network(network) if network else None
    return replace(BANK, links=(changed,), network=own, zones=zones)


def said(of: Topology) -> list[str]:
    return [str(each) for each in problems(of)]


@pytest.mark.parametrize(
    ("network", "block"),
    [
        ("172.30.0.0/16", "100.64.10.0/26"), ("10.64.0.0/16", "100.64.10.0/26"), ("192.168.0.0/16", "100.64.10.0/26"),
        ("172.30.0.0/16", "172.20.1.0/28"), ("10.64.0.0/16", "10.9.0.0/28"), ("10.64.0.0/16", "10.0.0.0/28"),
        ("100.64.0.0/16", "100.65.0.0/28"), ("10.1.0.0/16", "10.2.0.0/28"), ("192.168.0.0/20", "192.168.16.0/28"),
    ],
)  # fmt: skip
def test_what_aws_takes(network: str, block: str) -> None:
    assert said(seen(block, network)) == []


@pytest.mark.parametrize(
    ("network", "block", "why"),
    [
        ("172.30.0.0/16", "10.9.0.0/28", "a VPC of 172.16.0.0/12 adds nothing of 10.0.0.0/8"),
        ("172.30.0.0/16", "192.168.4.0/28", "a VPC of 172.16.0.0/12 adds nothing of 192.168.0.0/16"),
        ("10.64.0.0/16", "172.20.0.0/28", "a VPC of 10.0.0.0/8 adds nothing of 172.16.0.0/12"),
        ("192.168.0.0/20", "10.9.0.0/28", "a VPC of 192.168.0.0/16 adds nothing of 10.0.0.0/8"),
        ("100.64.0.0/16", "10.9.0.0/28", "it adds nothing of 10.0.0.0/8"),
        ("172.30.0.0/16", "172.31.4.0/28", "172.31.0.0/16 is kept for default VPCs"),
        ("10.1.0.0/16", "10.0.4.0/28", "a VPC of 10.0.0.0/15 adds nothing of 10.0.0.0/16"),
        ("10.64.0.0/16", "198.19.4.0/28", "198.19.0.0/16 is used by AWS's services"),
        ("10.64.0.0/16", "10.64.4.0/28", "they overlap"),
        ("10.64.0.0/16", "169.254.10.0/28", "link-local addresses are nobody's to assign"),
    ],
)
def test_what_aws_refuses_to_add(network: str, block: str, why: str) -> None:
    (text,) = said(seen(block, network))
    assert f"AWS does not add {block} to a VPC of {network}; {why} (VPC user guide" in text
    assert text.endswith("Use a block of 100.64.0.0/10, such as 100.64.10.0/28: every VPC takes one.")


def test_the_network_that_was_allocated_counts_where_none_is_declared() -> None:
    of = seen("10.9.0.0/28", None)
    assert said(of) == []
    assert problems(of, IPv4Network("10.64.0.0/16")) == ()
    assert len(problems(of, IPv4Network("172.30.0.0/16"))) == 1


@pytest.mark.parametrize(
    ("zones", "fits", "small"),
    [(1, "100.64.10.0/28", "100.64.10.0/29"), (2, "100.64.10.0/27", "100.64.10.0/28"),
     (3, "100.64.10.0/26", "100.64.10.0/27"), (4, "100.64.10.0/26", "100.64.10.0/27")],
)  # fmt: skip
def test_each_zone_needs_a_part(zones: int, fits: str, small: str) -> None:
    assert said(seen(fits, zones=zones)) == []
    (text,) = said(seen(small, zones=zones))
    assert f"{small} is too small for {zones} zone" in text
    assert f"Use a /{IPv4Network(fits).prefixlen}." in text


def test_a_block_is_no_larger_than_a_vpc_takes_and_covers_no_route() -> None:
    assert "100.64.0.0/12 is too large" in said(seen("100.64.0.0/12"))[0]
    (text,) = said(seen("100.64.0.0/16", networks=(IPv4Network("100.64.9.0/24"),)))
    assert "100.64.0.0/16 covers 100.64.9.0/24, which a route leads to" in text


@pytest.mark.parametrize("peer", ["10.0.0.1", "172.20.0.1", "192.168.1.1", "100.64.0.1", "169.254.0.1"])
def test_a_peer_has_a_public_address(peer: str) -> None:
    (text,) = said(replace(BANK, links=(replace(CORE, peer=IPv4Address(peer)),)))
    assert f"{peer} cannot be reached from AWS" in text


def test_where_tunnels_have_their_own_addresses_no_link_leads() -> None:
    (text,) = said(replace(BANK, links=(replace(CORE, networks=(IPv4Network("169.254.5.0/24"),)),)))
    assert "169.254.5.0/24 overlaps 169.254.0.0/16; the tunnels' own addresses lie there" in text


def test_each_tunnel_has_a_key() -> None:
    (text,) = said(replace(BANK, links=(replace(CORE, secret=("one",)),)))
    assert "1 keys for 2 tunnels" in text


def certified(arn: str) -> Topology:
    return replace(BANK, account="111122223333", links=(replace(CORE, secret=(), certificate=arn),))


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        ("rehearsal", "the link core has a certificate for a rehearsal only"),
        ("arn:aws:acm:eu-west-1:111122223333:certificate/1", "the certificate is of another region"),
        ("arn:aws:acm:us-east-1:444455556666:certificate/1", "the certificate is of another account"),
        ("arn:aws:acm:eu-west-1:444455556666:certificate/1", "the certificate is of another region and account"),
        ("arn:aws:iam::111122223333:server-certificate/core", "is no certificate of ACM"),
    ],
)
def test_a_links_certificate_is_of_the_environments_account_and_region(arn: str, words: str) -> None:
    assert said(certified("arn:aws:acm:us-east-1:111122223333:certificate/1")) == []
    (text,) = said(certified(arn))
    assert words in text
    assert "links/core/certificate" in text


def other(name: str = "second", **fields: object) -> Link:
    return replace(CORE, **{"name": name, "networks": (IPv4Network("192.0.2.0/25"),), **fields})  # type: ignore[arg-type]


def test_a_network_lies_behind_one_link() -> None:
    of = replace(BANK, links=(CORE, other(networks=CORE.networks)))
    (text,) = said(of)
    assert "links/second/networks" in text
    assert "10.20.0.0/16 lies behind core as well" in text


@pytest.mark.parametrize(
    ("one", "two", "wrong"),
    [
        ("100.64.10.0/28", "100.64.10.16/28", False),
        ("100.64.10.0/27", "100.64.10.16/28", True),
        ("10.1.0.0/28", "10.0.0.0/28", True),
        ("10.0.0.0/28", "10.1.0.0/28", True),
        ("10.2.0.0/28", "10.0.0.0/28", False),
    ],
)
def test_blocks_of_one_vpc_suit_each_other(one: str, two: str, wrong: bool) -> None:
    first = replace(CORE, seen_as=IPv4Network(one), networks=(IPv4Network("192.0.2.128/25"),))
    own = IPv4Network("10.64.0.0/16" if one.startswith("10.") else "172.30.0.0/16")
    of = replace(BANK, network=own, links=(first, other(seen_as=IPv4Network(two))), zones=1)
    assert bool(said(of)) is wrong


def test_all_problems_at_once_with_their_places() -> None:
    of = seen("10.9.0.0/29", zones=2, peer=IPv4Address("10.0.0.1"), secret=())
    marks = {"environments/certification/links/core/peer": Mark("anden.yaml", 12)}
    found = problems(of, marks=marks)
    assert [each.where for each in found] == [
        "environments/certification/links/core/peer (anden.yaml:12)",
        "environments/certification/links/core/secret",
        "environments/certification/links/core/seen-as",
        "environments/certification/links/core/seen-as",
    ]


def test_what_needs_no_link_is_not_looked_at() -> None:
    assert problems(replace(BANK, links=())) == ()
    assert problems(BANK) == ()


@pytest.mark.parametrize("name", ["account", "account-recovery", "account-trail", "organization", "state"])
def test_an_environment_has_no_name_of_the_account(name: str) -> None:
    (problem,) = problems(
        replace(BANK, environment=name, links=()), None, {f"environments/{name}": Mark("anden.yaml", 7)}
    )
    assert "anden.yaml:7" in problem.where
    assert problem.what == f"no environment can be called {name} on AWS"
    assert problems(replace(BANK, environment=f"{name}s", links=())) == ()


def test_every_family_of_the_account_is_reserved() -> None:
    assert set(OWN_FAMILIES) | {ORGANIZATION} <= RESERVED_ENVIRONMENTS


def let_in(*links: str, **service: object) -> list[str]:
    """What is refused where `accounts` is let in by these links."""
    (accounts, *others) = BANK.services
    incoming = (Incoming(accounts.name, (IPv4Network("10.20.4.0/24"),), 8443),)
    made = tuple(
        replace(CORE, name=name, networks=(IPv4Network(f"10.{20 + at}.0.0/16"),), incoming=incoming,
                seen_as=IPv4Network(f"100.64.{at}.0/26"))
        for at, name in enumerate(links)
    )  # fmt: skip
    changed = replace(accounts, **service)  # type: ignore[arg-type]
    return said(replace(BANK, services=(changed, *others), links=made, network=IPv4Network("172.30.0.0/16")))


def test_what_is_let_in_takes_over_step_by_step() -> None:
    assert let_in("core") == []
    (one,) = let_in("core", strategy=Strategy.CANARY)
    assert "links/core/incoming/accounts" in one
    assert "take over by canary" in one


def test_a_service_is_in_five_target_groups_at_most() -> None:
    assert let_in("a", "b", "c", "d", route=Route("/")) == []
    (one,) = let_in("a", "b", "c", "d", "e", route=Route("/"))
    assert "links/e/incoming/accounts" in one
    assert "accounts would be in 6 target groups" in one
    assert let_in("a", "b", "c", "d", "e", route=None) == []
