"""What every device's module has in common: what is said at the top, and what an agreement has to hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Protocol

from anden.model.link import Admitted, Agreement, Bgp, Encryption, Opening, Tunnel
from anden.model.problem import Problem

AEAD = frozenset({Encryption.AES256_GCM16})
"""Those without an integrity of another's."""
METRIC = 100
WEIGHT = 200
"""Of what comes by the first tunnel, in the other side's own choice; the second one's stay at the usual 0."""


@dataclass(frozen=True, slots=True)
class Device:
    """name: as `--device` takes it. title: as people say it. sources: whose manuals its syntax comes from. tried: on
    what; empty: on nothing. render: the configuration; raises ValueError for an agreement without addresses.

    several: it takes one pair of channels for several networks behind the link, which is what our side asks for.
    bgp_only: it is nothing but the speaker of BGP. bgp_sources: the manuals of its BGP.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    tried: str
    several: bool
    render: "Render"
    bgp_only: bool = False
    bgp_sources: tuple[str, ...] = ()

    def refusal(self, agreement: Agreement) -> Problem | None:
        """Why this device cannot be the other side of this link, as far as its vendor's manual says."""
        if self.bgp_only and agreement.bgp is None:
            fix = f"Say `bgp: NUMBER` in `links/{agreement.link}`, with the other side's AS number, if it should."
            return Problem(f"link {agreement.link}", "it speaks no BGP", f"{self.title} does nothing else", fix)
        if self.several or len(agreement.remote) == 1 or agreement.bgp is not None:
            return None  # with BGP its one pair of channels carries everything, and routes say what
        networks = ", ".join(map(str, agreement.remote))
        return Problem(
            f"link {agreement.link}",
            f"{self.title} takes one network for each pair of channels, and this link has {len(agreement.remote)}",
            f"our side asks for one pair that carries all of {networks}",
            f"Declare one network that holds them all in `links/{agreement.link}/networks`, or choose another device.",
        )


class Render(Protocol):
    """The text. openings: what we open; admitted: what may begin on their side."""

    def __call__(
        self, agreement: Agreement, openings: Sequence[Opening], admitted: Sequence[Admitted] = ()
    ) -> str:  # fmt: skip
        """Raises ValueError: an address is not known yet."""


def known(tunnel: Tunnel) -> str:
    """Our address. Raises ValueError while there is none."""
    if tunnel.our_identity is None:
        raise ValueError(f"the endpoint of tunnel {tunnel.number} has no address yet")
    return tunnel.our_identity


def inside(tunnel: Tunnel) -> IPv4Interface:
    """Ours in the tunnel. Raises ValueError while it is not known."""
    if tunnel.ours.inside is None:
        raise ValueError(f"the inside of tunnel {tunnel.number} is not known yet")
    return tunnel.ours.inside


def theirs_inside(tunnel: Tunnel) -> IPv4Address:
    """The other side's in the tunnel: the other one of its /30."""
    return inside(tunnel).ip + 1


def carried(agreement: Agreement, tunnel: Tunnel) -> tuple[tuple[IPv4Network, ...], tuple[IPv4Network, ...]]:
    """What a tunnel's one pair of channels carries, where both sides name it: our networks, and theirs. With BGP both
    neighbours of this tunnel too, or the session would not pass. Raises ValueError while an inside is not known."""
    if agreement.bgp is None:
        return (agreement.local,), agreement.remote
    ours, theirs = IPv4Network(inside(tunnel).ip), IPv4Network(theirs_inside(tunnel))
    return (agreement.local, ours), (*agreement.remote, theirs)


def spoken(agreement: Agreement) -> Bgp:
    """Raises ValueError where no BGP is."""
    if agreement.bgp is None:
        raise ValueError(f"link {agreement.link} speaks no BGP")
    return agreement.bgp


def metric(tunnel: Tunnel) -> int:
    """What the other side says of its routes (MULTI_EXIT_DISC), so that AWS prefers the first tunnel as the twin does:
    it takes the smaller one (Site-to-Site VPN user guide, "Route tables and route priority")."""
    return METRIC * tunnel.number


def missing(key: str) -> str:
    """What stands where a key's value belongs."""
    return f"the value of {key}, handed over apart"


def head(
    device: Device,
    agreement: Agreement,
    openings: Sequence[Opening],
    admitted: Sequence[Admitted],
    mark: str,
    *more: str,
) -> str:
    """The lines of comment at the top. mark: what begins a comment. more: what this device needs to have said."""
    opened = (
        ", ".join(f"{each.to} ({each.destination})" for each in openings) or "nothing yet: no destination is reached"
    )
    begins = "".join(
        f" You may open TCP from {', '.join(map(str, each.sources))} to {each.to} ({each.service})."
        for each in admitted
    )
    ends = ", ".join(known(tunnel) for tunnel in agreement.tunnels)
    sources = (*device.sources, *(device.bgp_sources if agreement.bgp is not None else ()))
    lines = [
        f"Link {agreement.link}: your side, for {device.title}. Written by anden.",
        f"Syntax: {'; '.join(sources)}.",
        f"Tried on: {device.tried or 'no device yet; read it before you load it'}.",
        f"Our endpoints: {ends}. Admit UDP 500 and 4500 from them, and ESP where there is no NAT between us.",
        f"You see us as {agreement.local}. We open TCP to: {opened}."
        + (f"{begins} Nothing else begins on your side." if begins else " Nothing begins on your side."),
        *([] if agreement.bgp is None else [_neighbours(agreement, agreement.bgp)]),
        *more,
    ]
    return "".join(f"{mark} {line}\n" for line in lines)


def authority(agreement: Agreement) -> str:
    """What the authority of both sides' certificates is called on the device; the side's own is called as the link."""
    return f"{agreement.link}-authority"


def mark_keys(agreement: Agreement) -> str:
    """What is said of keys, or of certificates, at the top."""
    if agreement.certified:
        return (
            f"Certificates are not in it: put in yours for {agreement.peer} (subject, alternative name), with its key, "
            f"as {agreement.link}, and the authority of both sides as {authority(agreement)}; no tunnel rises before."
        )
    names = ", ".join(f"{tunnel.key} (tunnel {tunnel.number})" for tunnel in agreement.tunnels)
    return f"Keys are not in it: put in {names} where it says so; until then no tunnel rises."


def _neighbours(agreement: Agreement, bgp: Bgp) -> str:
    told = ", ".join(map(str, agreement.remote))
    return (
        f"BGP: you are AS {bgp.theirs}, we are AS {bgp.ours}. You announce exactly {told}: without all of it nothing "
        f"goes by a tunnel. You take {agreement.local} and nothing else, whatever is announced."
    )
