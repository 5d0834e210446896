"""Why a tunnel to AWS does not rise, as who joins sees it, from strongSwan's own lines (those of `cell.tunnel_cause`).

AWS's endpoints say little: to who is not the customer gateway they say nothing at all. So a silence is told with what
it most often is.
"""

import re
from collections.abc import Sequence

from anden.engines.local.cell.certificate_cause import REFUSED
from anden.engines.local.cell.tunnel_cause import NO_CHANNEL, NO_SECRECY, NOT_THEM, OTHER_NETWORKS, SILENT
from anden.model.link import Agreement, Tunnel
from anden.model.problem import Problem

ANSWERED = re.compile(r"^parsed IKE_SA_INIT response ")
"""The first exchange, on port 500, has come back."""
Said = tuple[str, str, str]
"""What, why and what to do."""


def cause(agreement: Agreement, tunnel: Tunnel, said: Sequence[str]) -> Problem:
    """said: strongSwan's lines of the attempt, oldest first; the newest that says why is believed."""
    where, at = f"link {agreement.link}, tunnel {tunnel.number}", str(tunnel.ours.address)
    for line in reversed(said):
        if SILENT.match(line):
            first = any(ANSWERED.match(each) for each in said)
            return Problem(where, *(_half(agreement, tunnel, at) if first else _silent(agreement, at)))
        for pattern, (what, why, fix) in _CAUSES.items():
            if pattern.match(line):
                words = {"aws": at, "key": tunnel.key, "link": agreement.link, "peer": agreement.peer}
                return Problem(where, what.format(**words), why.format(**words), fix.format(**words))
    last = f"strongSwan's last words: {said[-1]}" if said else "strongSwan did not say why"
    return Problem(where, "it is not up", last, "Ask who sent the file whether the connection on AWS is as it says.")


def _silent(agreement: Agreement, at: str) -> Said:
    return (
        f"AWS does not answer at {at}",
        f"nothing came back of IKE; it answers only who is seen from outside as {agreement.peer}, the link's peer",
        f"Join from a machine whose packets leave as {agreement.peer}, and let UDP 500 and 4500 out to {at} and back.",
    )


def _half(agreement: Agreement, tunnel: Tunnel, at: str) -> Said:
    return (
        f"AWS does not go on at {at}",
        "the first exchange came back on port 500, and nothing after it on port 4500",
        f"Let UDP 4500 out to {at} and back. If it is: compare {tunnel.key} with who sent the file, and "
        f"{agreement.peer} with how this machine is seen from outside.",
    )


_CAUSES: dict[re.Pattern[str], Said] = {
    REFUSED: (
        "AWS refused who we are at {aws}",
        "the key is another than its {key}, or it knows its peer as another than {peer}; it does not say which",
        "Join again with the right {key}; each tunnel has its own.",
    ),
    NOT_THEM: (
        "AWS has another key at {aws}",
        "what it proved itself with does not fit {key} as it was typed in",
        "Join again with the right {key}; each tunnel has its own.",
    ),
    NO_SECRECY: (
        "AWS takes none of the proposals for IKE (phase 1) at {aws}",
        "the connection has other ones than the file says",
        "Ask for another file: `anden link invite {link} --on aws`.",
    ),
    NO_CHANNEL: (
        "AWS takes none of the proposals for ESP (phase 2) at {aws}",
        "phase 1 is up: key and identity are right",
        "Ask for another file: `anden link invite {link} --on aws`.",
    ),
    OTHER_NETWORKS: (
        "AWS expects other networks at {aws} (traffic selectors)",
        "key, identity and proposals are right",
        "Ask for another file: `anden link invite {link} --on aws`.",
    ),
}
