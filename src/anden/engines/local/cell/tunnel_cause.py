"""Why a tunnel is not there, from strongSwan's own words.

Its API says the same of a wrong key and of networks that do not match: that the channel could not be established. What
happened stands in the lines that it says meanwhile. Every line that is looked for here was heard from strongSwan 5.9.8.
"""

import re
from collections.abc import Sequence

from anden.engines.local.cell.certificate_cause import REFUSED, certificates
from anden.model.link import Agreement, Tunnel
from anden.model.problem import Problem

SILENT = re.compile(r"^giving up after \d+ retransmits$")
NOT_THEM = re.compile(r"^tried \d+ shared keys? for .* but MAC mismatched$")
NO_SECRECY = re.compile(r"^received NO_PROPOSAL_CHOSEN notify error$")
NO_CHANNEL = re.compile(r"^received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built$")
OTHER_NETWORKS = re.compile(r"^received TS_UNACCEPTABLE notify, no CHILD_SA built$")


def cause(agreement: Agreement, tunnel: Tunnel, said: Sequence[str], ended: float | None = None) -> Problem:
    """What is wrong with the tunnel. said: strongSwan's lines of the attempt, oldest first; the newest that says why
    is believed. Without one its last line is told as it is. ended: when our certificate did, Unix seconds; None: it
    holds, or there is none."""
    where = f"link {agreement.link}, tunnel {tunnel.number}"
    certified = certificates(agreement, tunnel, said, ended) if agreement.certified else None
    if certified is not None:
        return Problem(where, *certified)
    for line in reversed(said):
        for pattern, say in _CAUSES.items():
            if pattern.match(line):
                return Problem(where, *say(agreement, tunnel))
    last = f"strongSwan's last words: {said[-1]}" if said else "strongSwan did not say why"
    return Problem(where, "it is not up", last, "Compare `anden link config` with the other side's configuration.")


def _silent(agreement: Agreement, tunnel: Tunnel) -> tuple[str, str, str]:
    return (
        f"{agreement.peer} does not answer",
        "nothing came back from there, neither a yes nor a no",
        f"Check that the other side runs, and that its firewall admits UDP 500 and 4500 from {tunnel.our_identity}.",
    )


def _refused(agreement: Agreement, tunnel: Tunnel) -> tuple[str, str, str]:
    return (
        f"{agreement.peer} refused who we are",
        f"its key is another than {tunnel.key}, or it does not expect {tunnel.our_identity} as our identity; it does "
        "not say which, and its own log does",
        f"Compare both: `anden secret set {tunnel.key}` puts in another key.",
    )


def _not_them(agreement: Agreement, tunnel: Tunnel) -> tuple[str, str, str]:
    return (
        f"{agreement.peer} has another key",
        f"what it proved itself with does not fit {tunnel.key}",
        f"Have both sides put in the same: `anden secret set {tunnel.key}`.",
    )


def _no_secrecy(agreement: Agreement, tunnel: Tunnel) -> tuple[str, str, str]:
    return (
        f"{agreement.peer} takes none of our proposals for IKE (phase 1)",
        "encryption, integrity and Diffie-Hellman group have to fit in one proposal at least",
        f"Have the other side configure what `anden link config {agreement.link}` says.",
    )


def _no_channel(agreement: Agreement, tunnel: Tunnel) -> tuple[str, str, str]:
    return (
        f"{agreement.peer} takes none of our proposals for ESP (phase 2)",
        "phase 1 is up: key and identity are right",
        f"Have the other side configure what `anden link config {agreement.link}` says.",
    )


def _other_networks(agreement: Agreement, tunnel: Tunnel) -> tuple[str, str, str]:
    behind = ", ".join(map(str, agreement.remote))
    return (
        f"{agreement.peer} expects other networks (traffic selectors)",
        f"we say {agreement.local} on our side and {behind} on theirs; key, identity and proposals are right",
        f"Have the other side say the same crosswise, or change `links/{agreement.link}`.",
    )


_CAUSES = {
    SILENT: _silent,
    REFUSED: _refused,
    NOT_THEM: _not_them,
    NO_SECRECY: _no_secrecy,
    NO_CHANNEL: _no_channel,
    OTHER_NETWORKS: _other_networks,
}
