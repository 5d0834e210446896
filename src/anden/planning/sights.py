"""What one side tells the other of what it sees, as a few bytes; and what of it is believed."""

from dataclasses import replace
from ipaddress import IPv4Address

from pydantic import ValidationError

from anden.model import codec
from anden.model.link import Agreement
from anden.model.sight import Sight

MOST_BYTES = 16 * 1024
"""Of what is told at once: a datagram takes it."""
MOST_TOLD = 40
"""Of those who asked, the first ones."""
_LATEST = 4_102_444_800.0
"""The year 2100: no clock is believed beyond."""


def told(sight: Sight) -> bytes:
    """As it goes to the other side."""
    return codec.to_json(replace(sight, asked=sight.asked[:MOST_TOLD])).encode()


def believed(word: str, agreement: Agreement) -> Sight | None:
    """What the other side sees; None: it said nothing, or what no side would say. What is kept of it holds numbers,
    times and addresses only, for it is shown to people."""
    try:
        sight = codec.from_json(Sight, word)
        for each in sight.asked:
            address, _, port = each.to.rpartition(":")
            IPv4Address(each.source), IPv4Address(address)
            if not 0 < int(port) <= 65_535 or not port.isdecimal():
                return None
    except (ValidationError, ValueError):
        return None
    times = [sight.at, sight.since, *(one.since for one in sight.tunnels)]
    times += [at for each in sight.asked for at in (each.first, each.last)]
    known = {tunnel.number for tunnel in agreement.tunnels}
    right = all(0 <= at < _LATEST for at in times) and {one.number for one in sight.tunnels} <= known
    return sight if right and len(sight.asked) <= MOST_TOLD and len(sight.tunnels) <= len(known) else None
