"""The file of an invitation to a link of an environment on AWS, as text and back.

It is the same value as one to the twin's (`model.invitation`), with less in it: AWS's endpoints are met themselves, so
there is nowhere else to go; the tunnels' keys are the link's own, which both teams have, so none is in it. Its one key
signs pages.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from anden.model import codec
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import VERSION, Invitation, Rehearsal
from anden.model.link import Admitted, Agreement, Opening
from anden.model.problem import Problem, Problems
from anden.planning.invitations import MARK, moment, when, wire_key, wrong_agreement, wrong_frame

PAGE_KEY = "page-key"
READ_ME = (
    "Be the client's device of this link for a try, before the device itself is: `anden join FILE` as root on a Linux "
    "machine that AWS sees as `peer`. No key of a tunnel is in it: `anden join` asks for them. Its page-key signs "
    "pages and opens nothing; keep it to yourself (chmod 600)."
)
_ASK = "Ask whoever sent it for another one: `anden link invite --on aws`."
_NEVER = ("keys", "credential", "wire", "meet")
"""Of the twin's invitations. Who put a key in here meant well, and it must not stay."""


def meant(said: Mapping[str, Any]) -> bool:
    """Whether a file says that it is one of these."""
    return said.get("engine") == EngineName.AWS.value


def text(invitation: Invitation) -> str:
    """The file's. No key of a tunnel is in it."""
    agreement, rehearsal = invitation.agreement, invitation.rehearsal
    said = {
        MARK: VERSION,
        "read-me": READ_ME,
        "id": rehearsal.id,
        "link": agreement.link,
        "client": invitation.key.client,
        "environment": invitation.key.environment,
        "engine": invitation.key.engine.value,
        "made": when(invitation.made),
        "expires": when(rehearsal.until),
        "admit": admit(agreement),
        "asks-for": list(keys(agreement)),
        "agreement": codec.to_data(agreement),
        "openings": [codec.to_data(each) for each in invitation.openings],
        "admitted": [codec.to_data(each) for each in invitation.admitted],
        PAGE_KEY: rehearsal.wire,
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def endpoints(agreement: Agreement) -> str:
    """AWS's, in words: `192.0.2.10 and 192.0.2.11`."""
    return " and ".join(str(tunnel.ours.address) for tunnel in agreement.tunnels)


def keys(agreement: Agreement) -> tuple[str, ...]:
    """The names of those that are asked for, in that order, each once."""
    return tuple(dict.fromkeys(tunnel.key for tunnel in agreement.tunnels))


def admit(agreement: Agreement) -> list[str]:
    """What the joining side's firewall has to let out, and as whom, in words."""
    return [
        f"from the machine that joins, seen from outside as {agreement.peer}, to {endpoints(agreement)}, UDP 500 and "
        "4500, and what comes back of it"
    ]


def read(said: Mapping[str, Any], where: str, now: float) -> Invitation:
    """What `invitations.parsed` gave. Raises Problems, with everything that is wrong with it."""
    problems = list(_wrong(said, where, now))
    if problems:
        raise Problems(problems)
    return Invitation(
        EnvironmentKey(said["client"], said["environment"], EngineName.AWS),
        moment(said["made"]),
        codec.from_data(Agreement, said["agreement"]),
        tuple(codec.from_data(Opening, each) for each in said["openings"]),
        Rehearsal(said["id"], moment(said["expires"]), "", {}, said[PAGE_KEY]),
        tuple(codec.from_data(Admitted, each) for each in said["admitted"]),
    )


def _wrong(said: Mapping[str, Any], where: str, now: float) -> Iterator[Problem]:
    yield from wrong_frame(said, where, now, "it was made to be used until then")
    yield from wrong_agreement(said, where)
    if _certified(said.get("agreement")):
        why, fix = "their device's private key never leaves it", "Configure the device: `anden link config`."
        yield Problem(f"{where}, agreement", "certificates prove this link's sides", why, fix)
    for name in ("openings", "admitted"):
        if name not in said:
            yield Problem(f"{where}, {name}", "missing", "it says what is opened", _ASK)
    if not wire_key(said.get(PAGE_KEY)):
        yield Problem(f"{where}, {PAGE_KEY}", "missing, or no key", "pages are signed by it", _ASK)
    for name in _NEVER:
        if name in said:
            why = "an invitation to a link on AWS has none: `anden join` asks for keys, and goes to AWS itself"
            yield Problem(f"{where}, {name}", "it does not belong there", why, f"Take `{name}` out of the file.")


def _certified(agreement: Any) -> bool:
    tunnels = agreement.get("tunnels") if isinstance(agreement, dict) else None
    return isinstance(tunnels, list) and any(isinstance(each, dict) and each.get("key") == "" for each in tunnels)
