"""What callers may open because a name led there: written into the firewall by the resolver before it answers, and
taken over by the supervisor when it replaces the ruleset.

A lock keeps the two apart (see `turns`): the resolver holds it while it writes, the supervisor while it reads what
stands and puts the new ruleset in its place. Nobody waits for it for long: an answer is then not given, and a ruleset
replaced all the same, which closes too much rather than too little.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address

from anden.engines.local.cell import nft
from anden.engines.local.render import outside
from anden.engines.local.render.outside import Grant
from anden.model.configuration import Configuration
from anden.model.problem import Problems


def standing(configuration: Configuration | None) -> tuple[Grant, ...]:
    """What callers of this configuration may open now. Call it in the hub's network namespace."""
    if configuration is None:
        return ()
    found: list[Grant] = []
    for caller in outside.callers(configuration):
        with suppress(Problems):  # no such set, or no table yet
            said = nft.run(f"list set inet {outside.TABLE} {outside.set_of(caller)}", json=True)
            found += read(caller, said)
    return tuple(found)


def read(caller: str, said: str) -> Iterator[Grant]:
    """The elements of a set as nftables lists it in JSON."""
    for part in json.loads(said).get("nftables", ()):
        for each in part.get("set", {}).get("elem", ()):
            element = each["elem"]
            address, transport, port = element["val"]["concat"]
            left_s = float(element.get("expires", 0))
            yield Grant(caller, IPv4Address(address), transport, int(port), left_s, element.get("comment", ""))
