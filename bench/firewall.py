"""The firewall's part of one instance, with 10 and with 10,000 others: in a network namespace of its own.

Instances are simulated: their addresses are members of the sets, as slots of services are; nothing runs. What is timed
is what the product does: an instance that comes or goes within its range changes no rule (decision 0003), so its part
is its cable; a service that gets another slot replaces the ruleset.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

from anden.engines.local.cell import firewall, namespaces, network, protocol
from anden.model.blueprint import Layout, Zone
from anden.model.configuration import AllowService, Backend, Configuration, Member
from anden.model.ids import ServiceName, ZoneName
from bench.bare import PRIVATE
from bench.figure import Budget, Figure, Row, Run, Unmeasured

FEW, MANY = 10, 10_000
MEMBERS_A_SERVICE = 10
LIMIT_S = 300
TIMES = 5
"""Of what is short: a round is the median of so many."""
ZONE = ZoneName("a")
NETWORK = IPv4Network("10.64.0.0/16")
INSTANCES = IPv4Network("10.64.64.0/18")
OTHERS = f"the same with {FEW} instances"
ROWS = (
    Row("firewall/instance", f"Firewall and cable of one more instance among {MANY:,}", "ms", Budget(most=1.5), OTHERS),
    Row(
        "firewall/slot", f"A service gets one more slot, the whole ruleset of {MANY:,} is replaced", "ms", None, OTHERS
    ),
)


def measure(run: Run) -> Iterator[Figure]:
    """Both rows; each number of members in a namespace of its own, in turns."""
    found: dict[str, list[tuple[float, float]]] = {row.key: [] for row in ROWS}
    with _inside(FEW) as few, _inside(MANY) as many:
        for round_ in range(run.rounds + 1):
            for row in ROWS:
                pair = _ask(many, row.key), _ask(few, row.key)
                if round_:  # the first one loads what is loaded once
                    found[row.key].append(pair)
    for row in ROWS:
        mine, theirs = zip(*found[row.key], strict=True)
        yield Figure(row, mine, theirs)


def configuration(members: int) -> Configuration:
    """So many members, ten a service; each service reaches the next."""
    places = list(INSTANCES.hosts())[:members]
    layout = Layout(
        NETWORK, NETWORK[2], IPv4Network("10.64.16.0/20"), NETWORK[10], (Zone(ZONE, INSTANCES, INSTANCES, INSTANCES),)
    )
    groups = [places[start : start + MEMBERS_A_SERVICE] for start in range(0, members, MEMBERS_A_SERVICE)]
    backends = tuple(
        Backend(
            ServiceName(f"s{number:04d}"),
            number,
            tuple(Member(address, ZONE) for address in group),
            8080,
            address=layout.names[number],
        )
        for number, group in enumerate(groups, 1)
    )
    allows = tuple(AllowService(one.service, other.service, 8080) for one, other in pairwise(backends))
    return Configuration(layout, backends, allows)


class _inside:  # noqa: N801 - read as a block's opening
    """This module as a program, with so many members."""

    def __init__(self, members: int) -> None:
        self._argv = [*PRIVATE, sys.executable, "-m", "bench.firewall", str(members)]

    def __enter__(self) -> "subprocess.Popen[str]":
        self._process = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(LIMIT_S)


def _ask(process: "subprocess.Popen[str]", key: str) -> float:
    assert process.stdin is not None  # it was opened with pipes
    assert process.stdout is not None
    try:
        process.stdin.write(key + "\n")
        process.stdin.flush()
        said: dict[str, Any] = json.loads(process.stdout.readline() or '{"failed": "it ended"}')
    except OSError as error:
        raise Unmeasured(f"firewall: {error}") from error
    if "failed" in said:
        raise Unmeasured(f"firewall: {said['failed']}")
    return float(said["ms"])


# What runs inside.


def _instance(address: IPv4Address) -> float:
    began = perf_counter()
    network.attach("one-more", address, ZONE)
    took = perf_counter() - began
    network.detach("one-more")
    return took


def _slot(applied: Configuration, address: IPv4Address) -> float:
    first, *others = applied.backends
    wider = replace(applied, backends=(replace(first, members=(*first.members, Member(address, ZONE))), *others))
    began = perf_counter()
    firewall.apply(wider)
    took = perf_counter() - began
    firewall.apply(applied)
    return took


def main() -> None:
    """Serve measurements until stdin ends."""
    namespaces.mount("tmpfs", "/run", "tmpfs", namespaces.NO_SETUID | namespaces.NO_DEVICES, "mode=755")
    protocol.RUN.mkdir()
    applied = configuration(int(sys.argv[1]))
    free = IPv4Address(int(INSTANCES.broadcast_address) - 1)
    member = applied.backends[0].members[0].address
    network.build(applied)
    firewall.apply(applied)
    for line in sys.stdin:
        try:
            if line.strip() == ROWS[0].key:
                took = median(_instance(member) for _ in range(TIMES))
            else:
                took = _slot(applied, free)
            said: dict[str, Any] = {"ms": took * 1000}
        except Exception as error:  # said to whoever asked
            said = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
