"""What may begin on the other side of a link: which addresses are dialled, what the firewall lets in, during a change
too, and how the matrix and a plan say it."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.assess.refused import assess
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import EngineName, ServiceName, ZoneName
from anden.model.mark import Mark
from anden.model.plan import Action, Caveat
from anden.model.refused import Attempt
from anden.model.topology import ImageSource, Incoming, Link, Range, Service, Topology
from anden.planning import firewall, links, reachability
from anden.planning.addressing import ZONE_NAMES
from anden.planning.blueprint import draft
from anden.planning.configuration import configure, parting, turning
from anden.planning.difference import differences
from anden.planning.lint import lint
from anden.planning.refused import MOST_ROWS, named

NEAR, FAR = IPv4Network("10.20.4.0/24"), IPv4Network("10.20.8.0/24")
CORE = Link(
    "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)  # fmt: skip


def let_in(service: str, port: int = 8443, *sources: IPv4Network) -> Incoming:
    return Incoming(ServiceName(service), sources or (NEAR,), port)


def topology(*incoming: Incoming, zones: int = 2, **fields: Any) -> Topology:
    services = tuple(
        Service(ServiceName(name), ImageSource(f"{name}:1"), port=port, instances=Range(1, 2))
        for name, port in (("batch", None), ("ledger", 8080), ("notices", 8443))
    )
    return Topology("bank", "dev", services, links=(replace(CORE, incoming=incoming, **fields),), zones=zones)


def drafted(of: Topology, parent: Blueprint | None = None) -> Blueprint:
    images = SimulatedImages().presume(Path(), {each.name: each.source for each in of.services})
    return draft(of, images, Facts(), parent)


def allowed(*blueprints: Blueprint, ready: tuple[str, ...] = ()) -> list[tuple[str, int, str, str]]:
    target, keeping = blueprints[0], blueprints[1] if len(blueprints) > 1 else None
    found = configure(target, keeping, (), ready).allows_in
    return [(each.link, each.port, str(each.service), str(each.network)) for each in found]


# Addresses.


@given(
    st.integers(min_value=20, max_value=26).flatmap(
        lambda prefix: st.integers(0, 2 ** (prefix - 10) - 1).map(
            lambda at: IPv4Network((int(IPv4Address("100.64.0.0")) + (at << (32 - prefix)), prefix))
        )
    ),
    st.integers(min_value=1, max_value=4),
)
def test_each_zone_has_one_address_to_dial_that_is_nobody_elses(block: IPv4Network, zones: int) -> None:
    names = [ZoneName(name) for name in ZONE_NAMES[:zones]]
    link = replace(CORE, seen_as=block)
    dialled, shares = links.dialled(link, names), dict(links.shares(block, names))
    assert list(dialled) == names
    for zone, address in dialled.items():
        assert address in shares[zone]
        # AWS keeps the first four and the last of a subnet; the sixth is what the zone is seen as.
        assert int(address) - int(shares[zone][0]) not in {0, 1, 2, 3, links.SEEN, shares[zone].num_addresses - 1}
    assert len(set(dialled.values())) == zones
    fewer = links.dialled(link, names[:1])
    assert fewer == {names[0]: dialled[names[0]]}, "a zone more moves none"


def test_without_seen_as_there_is_nothing_to_dial() -> None:
    assert links.dialled(replace(CORE, seen_as=None), [ZoneName("a")]) == {}


def test_the_other_side_is_told_services_sources_addresses_and_ports() -> None:
    [one] = links.admitted(topology(let_in("ledger", 9443)), "core", [ZoneName("a"), ZoneName("b")])
    assert (one.service, one.sources, one.to) == ("ledger", (NEAR,), "100.64.10.6:9443 and 100.64.10.22:9443")
    assert links.admitted(topology(let_in("ledger")), "other", [ZoneName("a")]) == ()


# The firewall.


def test_a_rule_for_each_network_of_services_that_listen() -> None:
    wanted = topology(let_in("batch"), let_in("ledger", 9443, NEAR, FAR))
    found = [(each.service, each.port, each.network) for each in firewall.allows_incoming(wanted, ())]
    assert found == [("ledger", 9443, NEAR), ("ledger", 9443, FAR)]
    assert firewall.allows_incoming(topology(let_in("ledger"), seen_as=None), ()) == ()
    closed = Caveat(EngineName.SIMULATED, "link core", "not raised", ("link:core",))
    assert firewall.allows_incoming(wanted, [closed]) == ()


def test_a_port_that_moves_stays_with_its_service_until_the_other_one_is_ready() -> None:
    before = drafted(topology(let_in("ledger", 8443, NEAR)))
    after = drafted(topology(let_in("notices", 8443, FAR)), before)
    assert allowed(after, before) == [("core", 8443, "ledger", str(FAR))], "from where is the target's at once"
    assert allowed(after, before, ready=("notices",)) == [("core", 8443, "notices", str(FAR))]
    assert turning(after, before) == {"notices"}
    assert allowed(after) == [("core", 8443, "notices", str(FAR))]


def test_what_is_let_in_no_more_stays_while_the_change_is_under_way() -> None:
    before, after = drafted(topology(let_in("ledger"))), drafted(topology())
    assert allowed(after, before) == allowed(before) == [("core", 8443, "ledger", str(NEAR))]
    assert parting(after, before, ()).allows_in == ()
    assert allowed(after) == []


# What is said of it.


def test_the_matrix_has_a_row_for_a_link_that_lets_something_in() -> None:
    paths = reachability.matrix(drafted(topology(let_in("ledger", 9443))), {}, ())
    rows = [(each.callee, each.port, each.open) for each in paths if each.caller == "link:core"]
    assert rows == [("ledger", 9443, True), ("notices", 8443, False)]
    assert not [each for each in reachability.matrix(drafted(topology()), {}, ()) if each.caller == "link:core"]


def test_each_hop_of_a_way_in_is_said() -> None:
    blueprint = drafted(topology(let_in("ledger", 9443)))
    marks = {"environments/dev/links/core/incoming/ledger": Mark("anden.yaml", 9)}
    path = reachability.path(blueprint, "link:core", "ledger", None, marks, ())
    at = "100.64.10.6 and 100.64.10.22"
    assert [(hop.kind, hop.what) for hop in path.hops] == [
        ("tunnel", "core (peer 203.0.113.10)"),
        ("firewall", f"10.20.4.0/24 → {at}:9443"),
        ("balancer", f"{at}:9443 → ledger:8080"),
        ("instance", reachability.path(blueprint, "gateway", "ledger", None, {}, ()).callee + _place(blueprint)),
    ]  # fmt: skip
    assert path.hops[1].rule == "declared at anden.yaml:9"


def _place(blueprint: Blueprint) -> str:
    return f" ({blueprint.placement('ledger').slots[0].address})"


@pytest.mark.parametrize(
    ("callee", "port", "stop", "reason", "fix"),
    [
        (
            "notices",
            None,
            "firewall",
            "incoming does not name it",
            "add notices to environments.dev.links.core.incoming",
        ),
        ("ledger", 8080, "firewall", "dialled on port 9443, not 8080", "use port 9443"),
        ("batch", None, "firewall", "batch listens on nothing", ""),
    ],
)
def test_what_is_not_let_in_says_why(callee: str, port: int | None, stop: str, reason: str, fix: str) -> None:
    path = reachability.path(drafted(topology(let_in("ledger", 9443))), "link:core", callee, port, {}, ())
    assert (path.open, path.hops[-1].kind) == (False, stop)
    assert reason in path.reason
    assert path.fix.startswith(fix)


def test_an_engine_that_raises_no_links_closes_them() -> None:
    closed = Caveat(EngineName.SIMULATED, "link core incoming", "closed: it is not raised yet", ("link:core",))
    path = reachability.path(drafted(topology(let_in("ledger"))), "link:core", "ledger", None, {}, [closed])
    assert (path.open, path.hops[-1].kind, path.reason) == (False, "tunnel", "closed: it is not raised yet")


def test_a_plan_has_a_line_for_each_service() -> None:
    marks = {"environments/dev/links/core/incoming/ledger": Mark("anden.yaml", 9)}
    bare, one = drafted(topology()), drafted(topology(let_in("ledger")))
    other = drafted(topology(let_in("ledger", 9443, NEAR, FAR)))

    def said(before: Blueprint, after: Blueprint) -> list[tuple[Action, str, str, object]]:
        return [(each.action, each.subject, each.text, each.mark) for each in differences(before, after, marks)]

    where = marks["environments/dev/links/core/incoming/ledger"]
    text = "core → ledger: from 10.20.4.0/24 at port 8443"
    assert said(bare, one) == [(Action.CREATE, "incoming", text, where)]
    assert said(one, bare) == [(Action.DELETE, "incoming", text, None)]
    assert said(one, other) == [
        (Action.UPDATE, "incoming", f"{text} → from 10.20.4.0/24 10.20.8.0/24 at port 9443", where)
    ]


def test_a_wide_source_is_warned_of() -> None:
    wide = topology(let_in("ledger", 8443, IPv4Network("10.0.0.0/12")), networks=(IPv4Network("10.0.0.0/12"),))
    [warning] = [each for each in lint(drafted(wide), {}).warnings if "let in" in each.what]
    assert "1,048,576 addresses" in warning.what
    assert not [each for each in lint(drafted(topology(let_in("ledger"))), {}).warnings if "let in" in each.what]


def tried(to: str, port: int, last: float = 1.0, service: str = "link:core", source: str = "10.20.5.17") -> Attempt:
    return Attempt(service, to, port, "tcp", 20, 0.0, last, f"from {source}" if service != "ledger" else "")


def test_attempts_from_behind_a_link_are_named_by_what_they_dialled() -> None:
    blueprint = drafted(topology(let_in("ledger", 9443)))
    marks = {"environments/dev/links/core/incoming/ledger": Mark("anden.yaml", 9)}
    stranger, nowhere = named(blueprint, marks, [tried("100.64.10.22", 9443, 2.0), tried("100.64.10.6", 22)])
    assert (stranger.to, stranger.why, stranger.declared) == ("ledger", "from 10.20.5.17, which may not", True)
    assert stranger.fix.startswith("add it to `from` in links.core.incoming.ledger of dev (anden.yaml:9)")
    assert (nowhere.to, nowhere.why) == ("100.64.10.6", "from 10.20.5.17: nothing is let in there")
    assert "add a service to links.core.incoming of dev" in nowhere.fix


def test_whoever_is_behind_a_link_crowds_out_no_service() -> None:
    blueprint = drafted(topology(let_in("ledger", 9443)))
    many = [tried("100.64.10.6", port, 10.0) for port in range(1, MOST_ROWS + 50)]
    rows = named(blueprint, {}, [*many, tried("192.0.2.1", 443, 1.0, "ledger")])
    assert len(rows) == MOST_ROWS
    assert [row.service for row in rows if not row.outside] == ["ledger"]
    assert assess(rows, 11.0)[0].subject == "ledger"
