"""What an nftables ruleset says of names outside: a set for each caller, which fills as its questions are answered.

The set's elements are what a caller may open now, each with the time that is left and, as its comment, the name that
led there. The resolver adds them as it answers; a ruleset that replaces another one takes over those that are still
declared, so that a change of the configuration closes nothing that it does not mean to close.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the resolver starts in half the time without
    from anden.model.configuration import AllowName, Configuration

TABLE = "anden"
MOST_ADDRESSES = 1024
"""Elements of one caller's set; an answer that does not fit is not given."""
LONGEST_TAG = 100
"""Characters of a comment; nftables takes 128 bytes."""
_KIND = "ipv4_addr . inet_proto . inet_service"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """`caller` may open `port` at `address` for `left_s` seconds more, because `tag`, a name, led there."""

    caller: str
    address: IPv4Address
    transport: str
    port: int
    left_s: float
    tag: str


def set_of(caller: str) -> str:
    """The name of a caller's set."""
    return f"named-{caller}"


def tag(host: str) -> str:
    """A host's name as a comment: itself, or its beginning and a digest of all of it."""
    if len(host) <= LONGEST_TAG:
        return host
    digest = blake2s(host.encode(), digest_size=8).hexdigest()
    return f"{host[: LONGEST_TAG - len(digest) - 1]}-{digest}"


def callers(configuration: "Configuration") -> "Mapping[str, Sequence[AllowName]]":
    """Each caller that declares a name outside, with what it declares."""
    found: dict[str, list[AllowName]] = {}
    for allow in configuration.names_out:
        found.setdefault(allow.caller, []).append(allow)
    return found


def element(grant: Grant) -> str:
    """As it stands in a set."""
    key = f"{grant.address} . {grant.transport} . {grant.port}"
    return f'{key} timeout {max(round(grant.left_s), 1)}s comment "{grant.tag}"'


def sets(configuration: "Configuration", granted: Iterable[Grant]) -> list[str]:
    """The sets' text, with those elements that what is declared now still means."""
    kept = {(one.caller, one.address, one.transport, one.port): one for one in sorted(granted)}
    lines = []
    for caller, allows in callers(configuration).items():
        declared = {(allow.transport.value, allow.port, tag(allow.host)) for allow in allows}
        mine = [
            one for one in kept.values() if one.caller == caller and (one.transport, one.port, one.tag) in declared
        ][:MOST_ADDRESSES]
        lines += [f"\tset {set_of(caller)} {{", f"\t\ttype {_KIND}", "\t\tflags timeout", f"\t\tsize {MOST_ADDRESSES}"]
        if mine:
            lines += ["\t\telements = {", *(f"\t\t\t{element(one)}," for one in mine), "\t\t}"]
        lines += ["\t}", ""]
    return lines


def grant(granted: Sequence[Grant]) -> str:
    """The text that adds these, or sets their time anew where they are there: older kernels do not change the time of
    an element, but take it away and add it again in one transaction."""
    lines = []
    for one in granted:
        place = f"inet {TABLE} {set_of(one.caller)}"
        key = f"{one.address} . {one.transport} . {one.port}"
        add = f"add element {place} {{ {element(one)} }}"
        lines += [add, f"delete element {place} {{ {key} }}", add]
    return "\n".join([*lines, ""])
