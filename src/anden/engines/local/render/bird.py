"""BIRD's configuration of one of our endpoints: one session, inside of its tunnel."""

from anden.model.link import Agreement, Tunnel
from anden.planning.devices import device
from anden.planning.devices.bird import Neighbour, speaker
from anden.planning.devices.device import inside, theirs_inside

SOCKET = "bird.ctl"
SESSION = "tunnel"
"""What it calls the session."""


def ours(agreement: Agreement, tunnel: Tunnel) -> str:
    """The file. Raises ValueError while the tunnel's inside is not known, and where no BGP is spoken."""
    bgp = device.spoken(agreement)
    neighbour = Neighbour(SESSION, inside(tunnel).ip, theirs_inside(tunnel))
    return speaker(bgp.ours, bgp.theirs, bgp, [agreement.local], agreement.remote, [neighbour])
