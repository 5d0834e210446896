"""What every device's module has in common: what is said at the top, and what an agreement has to hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from anden.model.link import Agreement, Encryption, Opening, Tunnel
from anden.model.problem import Problem

AEAD = frozenset({Encryption.AES256_GCM16})
"""Those without an integrity of another's."""


@dataclass(frozen=True, slots=True)
class Device:
    """name: as `--device` takes it. title: as people say it. sources: whose manuals its syntax comes from. tried: on
    what; empty: on nothing. render: the configuration; raises ValueError for an agreement without addresses.

    several: it takes one pair of channels for several networks behind the link, which is what our side asks for.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    tried: str
    several: bool
    render: Callable[[Agreement, Sequence[Opening]], str]

    def refusal(self, agreement: Agreement) -> Problem | None:
        """Why this device cannot be the other side of this link, as far as its vendor's manual says."""
        if self.several or len(agreement.remote) == 1:
            return None
        networks = ", ".join(map(str, agreement.remote))
        return Problem(
            f"link {agreement.link}",
            f"{self.title} takes one network for each pair of channels, and this link has {len(agreement.remote)}",
            f"our side asks for one pair that carries all of {networks}",
            f"Declare one network that holds them all in `links/{agreement.link}/networks`, or choose another device.",
        )


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


def missing(key: str) -> str:
    """What stands where a key's value belongs."""
    return f"the value of {key}, handed over apart"


def head(device: Device, agreement: Agreement, openings: Sequence[Opening], mark: str, *more: str) -> str:
    """The lines of comment at the top. mark: what begins a comment. more: what this device needs to have said."""
    opened = (
        ", ".join(f"{each.to} ({each.destination})" for each in openings) or "nothing yet: no destination is reached"
    )
    ends = ", ".join(known(tunnel) for tunnel in agreement.tunnels)
    lines = [
        f"Link {agreement.link}: your side, for {device.title}. Written by anden.",
        f"Syntax: {'; '.join(device.sources)}.",
        f"Tried on: {device.tried or 'no device yet; read it before you load it'}.",
        f"Our endpoints: {ends}. Admit UDP 500 and 4500 from them, and ESP where there is no NAT between us.",
        f"You see us as {agreement.local}. We open TCP to: {opened}. Nothing begins on your side.",
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
