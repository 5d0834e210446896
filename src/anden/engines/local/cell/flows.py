"""What connection tracking knows of an address, forgotten: the firewall lets an established flow go on, and the next
owner of an address would inherit those of the one before.

By the kernel's own messages (`linux/netfilter/nfnetlink_conntrack.h`): a service that answers 150 requests a second
leaves 18,000 flows behind it, for each is remembered for two minutes, and a general library took a millisecond for
each, so that an instance took half a minute to leave.
"""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address

from anden.engines.local.cell.netlink import ACK, DUMP, ERROR, REQUEST, Netlink, attribute, attributes, refusal

NETFILTER = 12
"""NETLINK_NETFILTER."""
AT_ONCE = 500
"""Flows that are forgotten with one message to the kernel: 40 KB, of which its buffer takes 200."""
_GET, _DELETE = 0x101, 0x102
"""IPCTNL_MSG_CT_GET and _DELETE, of NFNL_SUBSYS_CTNETLINK."""
_NESTED = 0x8000
_ORIGINAL, _ZONE, _FILTER, _ID = 1, 18, 25, 12
"""CTA_TUPLE_ORIG, CTA_ZONE, CTA_FILTER, CTA_ID."""
_IP, _SOURCE, _TARGET = 1, 1, 2
"""CTA_TUPLE_IP, CTA_IP_V4_SRC, CTA_IP_V4_DST."""
_ORIGINAL_FLAGS, _REPLY_FLAGS = 1, 2
_SIDES = {_SOURCE: 1 << 0, _TARGET: 1 << 1}
"""Each side of a flow, and the flag of a filter that asks for it (CTA_FILTER_FLAG_CTA_IP_SRC, _DST)."""
_U32 = struct.Struct("=I")
_FAMILY = struct.pack("=BBH", socket.AF_INET, 0, 0)
"""nfgenmsg: the family, a version, a resource."""


def forget(address: IPv4Address) -> int:
    """Forget every flow of this network namespace that began at that address or was meant for it; how many there were.
    Raises OSError."""
    count = 0
    with Netlink(NETFILTER) as tracking:
        for side, flag in _SIDES.items():
            found = _found(tracking, address, side, flag)
            for at in range(0, len(found), AT_ONCE):
                _delete(tracking, address, found[at : at + AT_ONCE])
            count += len(found)
    return count


def _found(tracking: Netlink, address: IPv4Address, side: int, flag: int) -> list[bytes]:
    """The flows with that address on that side, each by what names it: its addresses and ports, its zone, its id."""
    there = attribute(_NESTED | _IP, attribute(side, address.packed))
    flags = attribute(_ORIGINAL_FLAGS, _U32.pack(flag)) + attribute(_REPLY_FLAGS, _U32.pack(0))
    asked = _FAMILY + attribute(_NESTED | _ORIGINAL, there) + attribute(_NESTED | _FILTER, flags)
    found = []
    for body in tracking.answers(_GET, DUMP, asked, f"the flows of {address}"):
        told = attributes(body[len(_FAMILY) :])
        original = told.get(_NESTED | _ORIGINAL, b"")
        ends = attributes(attributes(original).get(_NESTED | _IP, b""))
        if ends.get(side) == address.packed:  # a kernel before 5.8 does not choose
            named = attribute(_NESTED | _ORIGINAL, original)
            found.append(named + b"".join(attribute(each, told[each]) for each in (_ZONE, _ID) if each in told))
    return found


def _delete(tracking: Netlink, address: IPv4Address, flows: Sequence[bytes]) -> None:
    """All of them; one that has ended by itself meanwhile is no error. Only what fails is answered, and the last."""
    *most, last = flows
    sent = [tracking.message(_DELETE, REQUEST, _FAMILY + each) for each in most]
    sent.append(tracking.message(_DELETE, REQUEST | ACK, _FAMILY + last))
    end = tracking.number
    tracking.socket.send(b"".join(sent))
    while True:
        for kind, number, inner in tracking.heard():
            code = refusal(inner) if kind == ERROR else 0
            if code not in (0, errno.ENOENT):
                raise OSError(code, f"the kernel does not forget the flows of {address}: {os.strerror(code)}")
            if number == end:
                return
