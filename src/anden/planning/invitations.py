"""An invitation as text, and a text as an invitation, with everything that is wrong with it at once."""

import json
import re
import string
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from anden.model import codec
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import LONGEST_S, VERSION, WIRE_KEY_BYTES, Credential, Invitation, Rehearsal
from anden.model.link import Admitted, Agreement, Opening
from anden.model.problem import Problem, Problems
from anden.model.secret import NAME, PRE_SHARED_KEY
from anden.planning import links

MARK = "anden-invitation"
MOST_BYTES = 256 * 1024
"""Of a file; 4 KiB are usual."""
READ_ME = (
    "Raise the other side of this link for a rehearsal: `anden join FILE` as root on a Linux machine. The keys in it "
    "are for this rehearsal only, open nothing else, and end when it says. Keep it to yourself (chmod 600)."
)
MEET = re.compile(r"(?P<host>[A-Za-z0-9.-]{1,253}):(?P<port>[1-9][0-9]{0,4})")
MOST_PORT = 65_535
MOST_TUNNELS = 2
MOST_HOLD_S = 65_535
"""Two bytes of BGP's first message (RFC 4271, 4.2)."""
LABEL = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""What a manifest lets links, clients, environments and destinations be called."""
_ASK = "Ask whoever sent it for another one: `anden link invite`."


def text(invitation: Invitation) -> str:
    """The file's. It holds keys: nobody else may read it."""
    rehearsal = invitation.rehearsal
    said = {
        MARK: VERSION,
        "read-me": READ_ME,
        "id": rehearsal.id,
        "link": invitation.agreement.link,
        "client": invitation.key.client,
        "environment": invitation.key.environment,
        "engine": invitation.key.engine.value,
        "made": when(invitation.made),
        "expires": when(rehearsal.until),
        "meet": rehearsal.meet,
        "admit": admit(rehearsal.meet),
        "agreement": codec.to_data(invitation.agreement),
        "openings": [codec.to_data(each) for each in invitation.openings],
        "admitted": [codec.to_data(each) for each in invitation.admitted],
        "keys": dict(rehearsal.keys),
        "wire": rehearsal.wire,
    }
    if invitation.credential is not None:
        said["credential"] = codec.to_data(invitation.credential)
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def admit(meet: str) -> list[str]:
    """What the joining side's firewall has to let out, in words."""
    return [f"from the machine that joins, to {meet}, UDP, and what comes back of it"]


def read(content: str, where: str, now: float) -> Invitation:
    """Raises Problems, with every one: it is no invitation, of another version, damaged, ended."""
    said = parsed(content, where)
    problems = list(_wrong(said, where, now))
    if problems:
        raise Problems(problems)
    return Invitation(
        EnvironmentKey(said["client"], said["environment"], EngineName(said["engine"])),
        moment(said["made"]),
        codec.from_data(Agreement, said["agreement"]),
        tuple(codec.from_data(Opening, each) for each in said["openings"]),
        Rehearsal(said["id"], moment(said["expires"]), said["meet"], said["keys"], said["wire"]),
        tuple(codec.from_data(Admitted, each) for each in said.get("admitted", ())),
        codec.from_data(Credential, said["credential"]) if "credential" in said else None,
    )


def parsed(content: str, where: str) -> Mapping[str, Any]:
    """What a file says, of whichever engine. Raises Problems: it is no invitation, or of another version."""
    if len(content) > MOST_BYTES:
        raise Problems(Problem(where, "longer than any invitation", f"{MOST_BYTES >> 10} KiB are the most", _ASK))
    try:
        said = json.loads(content)
    except ValueError as error:
        raise Problems(Problem(where, "not an invitation", f"it is no JSON: {error}", _ASK)) from None
    if not isinstance(said, dict) or MARK not in said:
        raise Problems(Problem(where, "not an invitation", f"it has no `{MARK}`", _ASK))
    if said[MARK] != VERSION:
        fix = "Use the version of anden that wrote it, or have it written anew."
        raise Problems(Problem(where, f"version {said[MARK]!r} of the file", f"this anden reads {VERSION}", fix))
    return said


def _wrong(said: Mapping[str, Any], where: str, now: float) -> Iterator[Problem]:  # one after the other, all of them
    yield from wrong_frame(said, where, now)
    met = MEET.fullmatch(said["meet"]) if isinstance(said.get("meet"), str) else None
    if met is None or int(met["port"]) > MOST_PORT:
        yield Problem(f"{where}, meet", f"{said.get('meet')!r} is no HOST:PORT", "it says where to go", _ASK)
    yield from wrong_agreement(said, where)
    yield from _wrong_keys(said, where)


def wrong_frame(
    said: Mapping[str, Any], where: str, now: float, ended: str = "its keys open nothing any more"
) -> Iterator[Problem]:
    """What is wrong with whose it is, and for how long. ended: what its end means."""
    for name in ("client", "environment", "link", "id"):
        if not isinstance(said.get(name), str) or not said[name]:
            yield Problem(f"{where}, {name}", "missing", "it says whose link this is", _ASK)
    if said.get("engine") not in {each.value for each in EngineName}:
        yield Problem(f"{where}, engine", f"{said.get('engine')!r} is none", "it says what is on the other side", _ASK)
    times = {}
    for name in ("made", "expires"):
        try:
            times[name] = moment(said.get(name))
        except ValueError:
            yield Problem(f"{where}, {name}", f"{said.get(name)!r} is no time", "as 2026-11-27T03:00:00Z", _ASK)
    if len(times) == len(("made", "expires")):
        if now >= times["expires"]:
            yield Problem(f"{where}, expires", f"it ended at {said['expires']}", ended, _ASK)
        elif times["expires"] - times["made"] > LONGEST_S:
            why = f"no invitation lasts longer than {LONGEST_S / 86_400:g} days"
            yield Problem(f"{where}, expires", "it lasts too long", why, _ASK)


def wrong_agreement(said: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """What is wrong with what is agreed, and with what is opened."""
    try:
        agreement = codec.from_data(Agreement, said.get("agreement"))
    except (ValidationError, ValueError):
        yield Problem(f"{where}, agreement", "it cannot be read", "it was changed, or cut", _ASK)
        return
    # What is written into strongSwan's file by it must be what it claims to be, or it could say anything there.
    named = [agreement.link, said.get("client"), said.get("environment")]
    plain = all(isinstance(each, str) and LABEL.fullmatch(each) for each in named)
    ours = [(each.our_identity, each.ours.address) for each in agreement.tunnels]
    if not agreement.known or any(said_as != str(address) for said_as, address in ours):
        yield Problem(f"{where}, agreement", "an address of theirs is missing", "nothing can be raised to it", _ASK)
    elif (
        not plain
        or any(tunnel.peer_identity != str(agreement.peer) for tunnel in agreement.tunnels)
        or not (agreement.certified or all(NAME.fullmatch(tunnel.key) for tunnel in agreement.tunnels))
        or [tunnel.number for tunnel in agreement.tunnels] != list(range(1, 1 + len(agreement.tunnels)))
        or not 1 <= len(agreement.tunnels) <= MOST_TUNNELS
        or not agreement.remote
        or not _spoken(agreement)
    ):
        yield Problem(f"{where}, agreement", "it is none that anden writes", "a name or a number is no such", _ASK)
    if agreement.link != said.get("link"):
        yield Problem(f"{where}, link", f"{said.get('link')!r} is not the agreement's", agreement.link, _ASK)
    yield from _wrong_flows(said, where)


def _wrong_keys(said: Mapping[str, Any], where: str) -> Iterator[Problem]:
    try:
        agreement = codec.from_data(Agreement, said.get("agreement"))
    except (ValidationError, ValueError):  # it is said of the agreement
        return
    yield from _wrong_proofs(said, where, agreement)
    if not wire_key(said.get("wire")):
        yield Problem(f"{where}, wire", "missing, or no key", "both sides know each other by it", _ASK)


def _wrong_proofs(said: Mapping[str, Any], where: str, agreement: Agreement) -> Iterator[Problem]:
    """Keys, or the certificate in their place."""
    keys = said.get("keys")
    if agreement.certified:
        from anden.planning import credentials  # noqa: PLC0415 - most invitations need no cryptography

        if keys != {}:
            yield Problem(f"{where}, keys", "there are some", "certificates prove this link's sides", _ASK)
        until = None
        with suppress(ValueError):  # that it is no time is told already
            until = moment(said.get("expires"))
        for name, what, why in credentials.faults(said.get("credential"), str(agreement.peer), until):
            yield Problem(f"{where}, {name}", what, why, _ASK)
        return
    if "credential" in said:
        yield Problem(f"{where}, credential", "there is one", "keys prove this link's sides", _ASK)
    for name in dict.fromkeys(tunnel.key for tunnel in agreement.tunnels):
        value = keys.get(name) if isinstance(keys, dict) else None
        if not isinstance(value, str) or not PRE_SHARED_KEY.fullmatch(value):
            yield Problem(f"{where}, keys", f"{name} is missing, or is no key", "a tunnel rises by it", _ASK)


def wire_key(said: Any) -> bool:
    """Whether it can be one."""
    return isinstance(said, str) and len(said) == 2 * WIRE_KEY_BYTES and set(said) <= set(string.hexdigits)


def _wrong_flows(said: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """What is opened, either way."""
    try:
        for each in said.get("openings", ()):
            opening = codec.from_data(Opening, each)
            if not LABEL.fullmatch(opening.destination) or not 1 <= opening.port <= MOST_PORT:
                raise ValueError("no such opening")
    except (ValidationError, ValueError, TypeError):
        yield Problem(f"{where}, openings", "they cannot be read", "they say what is asked for", _ASK)
    try:
        for each in said.get("admitted", ()):  # a file of before there was such a thing has none
            admitted = codec.from_data(Admitted, each)
            if not LABEL.fullmatch(admitted.service) or not 1 <= admitted.port <= MOST_PORT:
                raise ValueError("no such service")
    except (ValidationError, ValueError, TypeError):
        yield Problem(f"{where}, admitted", "it cannot be read", "it says what may begin there", _ASK)


def _spoken(agreement: Agreement) -> bool:
    """Whether what it says of BGP, where it says something, can be spoken."""
    if (bgp := agreement.bgp) is None:
        return True
    insides = [tunnel.ours.inside for tunnel in agreement.tunnels]
    return (
        all(0 < number < 2**32 for number in (bgp.ours, bgp.theirs))
        and bgp.ours != bgp.theirs
        and MOST_HOLD_S >= bgp.hold_s > bgp.keepalive_s > 0
        and all(each is not None and each.network.subnet_of(links.INSIDE) for each in insides)
    )


def when(at: float) -> str:
    """A time, to the second, as the file says it."""
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment(said: Any) -> float:
    """Unix seconds of such a text. Raises ValueError."""
    if not isinstance(said, str):
        raise ValueError("no text")
    return datetime.strptime(said, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
