"""Whether a tunnel's BGP session lets traffic go by it, and why not, from BIRD's own words.

Every word that is looked for here was heard from BIRD 2.0.12. Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network

from anden.engines.local.cell.bird import Spoken
from anden.model.link import Agreement, Bgp, Session, Tunnel
from anden.model.problem import Problem
from anden.planning.devices.bird import MOST_ROUTES
from anden.planning.devices.device import inside, theirs_inside

ESTABLISHED, CONNECTING = "Established", "Connect"
OTHER_NUMBER = "BGP Error: Bad peer AS"
NOT_US = "Received: Bad peer AS"
REFUSED = "Socket: Connection refused"
SHOWN = 5
"""Networks in a sentence, before the rest is only counted."""
Words = tuple[str, str, str]


def judged(agreement: Agreement, bgp: Bgp, tunnel: Tunnel, spoken: Spoken | None, *, up: bool) -> Session:
    """spoken: None: our speaker does not answer. up: the tunnel is; while it is not, it says why itself."""
    words: Words | None
    if spoken is None:
        why, fix = "BIRD is not there, or busy", "It is started again by itself; if it stays so, see the cell's log."
        session, words = Session("unknown"), ("our speaker does not answer", why, fix)
    elif spoken.state != ESTABLISHED:
        session = Session(spoken.state.lower())
        words = _not_there(agreement, bgp, tunnel, spoken)
    else:
        session, words = _established(agreement, spoken)
    if words is None or not up:
        return session
    return replace(session, problem=Problem(f"link {agreement.link}, tunnel {tunnel.number}, BGP", *words))


def _established(agreement: Agreement, spoken: Spoken) -> tuple[Session, Words | None]:
    heard, refused = spoken.heard, spoken.refused
    session = Session(ESTABLISHED.lower(), True, heard, refused)
    missing = [network for network in agreement.remote if network not in heard]
    declared, peer = _listed(agreement.remote), agreement.peer
    if len(heard) + len(refused) > MOST_ROUTES:
        what = f"{peer} announces more than {MOST_ROUTES} routes"
        return replace(session, carries=False), (what, "AWS would end the session", "Have it filter what it announces.")
    if missing:
        what, told = f"{_listed(missing)} is not announced", _listed((*heard, *refused)) or "nothing"
        why = f"{peer} announces {told}; traffic goes by a tunnel only while all that is declared is announced"
        fix = f"Have it announce exactly {declared}, or change `links/{agreement.link}/networks`."
        return replace(session, carries=False), (what, why, fix)
    if refused:
        why = f"`links/{agreement.link}/networks` declares {declared}; nothing else is taken"
        fix = "Have the other side filter what it announces, or declare it."
        return session, (f"{_listed(refused)} is announced and was refused", why, fix)
    return session, None


def _not_there(agreement: Agreement, bgp: Bgp, tunnel: Tunnel, spoken: Spoken) -> Words | None:
    if spoken.error in _CAUSES:
        return _CAUSES[spoken.error](agreement, bgp, tunnel)
    if spoken.error:
        fix = f"Compare both sides with `anden link config {agreement.link}`."
        return f"no session with {theirs_inside(tunnel)}", f"BIRD's last words: {spoken.error}", fix
    if spoken.state != CONNECTING:  # it has only just begun
        return None
    fix = f"Have the tunnel carry both insides, and the other side admit TCP 179 from {inside(tunnel).ip}."
    return f"{theirs_inside(tunnel)} does not answer", "nothing comes back, neither a yes nor a no", fix


def _other_number(agreement: Agreement, bgp: Bgp, tunnel: Tunnel) -> Words:
    fix = f"Correct `links/{agreement.link}/bgp`, or have the other side be AS {bgp.theirs}."
    return f"{agreement.peer} is not AS {bgp.theirs}", "it says another number of itself", fix


def _not_us(agreement: Agreement, bgp: Bgp, tunnel: Tunnel) -> Words:
    fix = f"Have it say {bgp.ours} of us, as `anden link config {agreement.link}` does."
    return f"{agreement.peer} does not take us for AS {bgp.ours}", "it expects another number of our side", fix


def _refused(agreement: Agreement, bgp: Bgp, tunnel: Tunnel) -> Words:
    what = f"nobody speaks BGP at {theirs_inside(tunnel)}"
    fix = f"Have the other side configure us, {inside(tunnel).ip}, as its neighbour."
    return what, "the tunnel is up, and TCP port 179 is closed at its other end", fix


_CAUSES: Mapping[str, Callable[[Agreement, Bgp, Tunnel], Words]] = {
    OTHER_NUMBER: _other_number,
    NOT_US: _not_us,
    REFUSED: _refused,
}


def _listed(networks: Iterable[IPv4Network]) -> str:
    names = [str(network) for network in networks]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
