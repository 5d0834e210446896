"""The page that both sides of a link keep: what they agreed on, which addresses to admit, what each saw and when.

Markdown, for people; the same values give the same text. Signed by the rehearsal's key, which both sides hold: that
shows that who wrote it held the invitation, and that nobody else changed it since. It does not show which side it was.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.link import Admitted, Agreement, Encryption, Group, Opening, Proposals
from anden.model.problem import Problem
from anden.model.sight import Sight
from anden.planning.invitations import when

MOST_BYTES = 1 << 20
"""Of a page."""
_PURPOSE = b"anden page 1"
_SIGNATURE = "\n## Signature\n\n"
_SIGNED = re.compile(r"\n`anden-signature: (?P<id>[0-9a-f]{1,64}) (?P<value>[0-9a-f]{64})`\n\Z")
_SPELLED = {
    Encryption.AES256: "AES-256-CBC",
    Encryption.AES256_GCM16: "AES-256-GCM (16 bytes of ICV)",
    Group.MODP2048: "14 (2048 bits)",
    Group.ECP256: "19 (256 bits, elliptic)",
    Group.ECP384: "20 (384 bits, elliptic)",
}
_NOTHING = "; nothing begins on the client's side"
UNSIGNED = "This page is not signed: nobody is invited, so there is no key that both sides hold."
UNSIGNED_ON_AWS = (
    "This page is not signed: an invitation's key is in its file only. `anden link page --on aws --invitation FILE` "
    "signs it by that."
)
_APART = (
    "On AWS nothing but IKE and ESP goes between both sides, so neither hears from the other what it sees. Each side "
    "writes its own page: `anden link page --on aws` what AWS says, `anden join` what is seen from the client's side."
)


@dataclass(frozen=True, slots=True)
class Page:
    """at: Unix seconds, of its writing. ours: what the side of the environment saw; theirs: the side that joined. None:
    nothing was seen from there. our_problems, their_problems: why tunnels were not up, as each side was told."""

    key: EnvironmentKey
    agreement: Agreement
    openings: tuple[Opening, ...]
    at: float
    ours: Sight | None = None
    theirs: Sight | None = None
    admitted: tuple[Admitted, ...] = ()
    our_problems: tuple[Problem, ...] = ()
    their_problems: tuple[Problem, ...] = ()


def text(page: Page) -> str:
    """Without a signature."""
    return "\n".join([*_agreed(page), *_admitted(page), *_seen(page)]) + "\n"


def signature(written: str, wire: str) -> str:
    """Of a page's text, by the key of the rehearsal's wire: 64 hexadecimal digits."""
    key = hmac.digest(bytes.fromhex(wire), _PURPOSE, hashlib.sha256)
    return hmac.digest(key, written.encode(), hashlib.sha256).hex()


def signed(written: str, id: str, value: str) -> str:
    """The text with a signature at its end. id: the invitation's."""
    return f"{written}{_SIGNATURE}{_SAYS.format(id=id)}\n\n`anden-signature: {id} {value}`\n"


def unsigned(written: str, engine: EngineName = EngineName.LOCAL) -> str:
    """The text that says that it has none."""
    why = UNSIGNED_ON_AWS if engine is EngineName.AWS else UNSIGNED
    return f"{written}{_SIGNATURE}{why}\n"


def signed_by(content: str, id: str, wire: str) -> str:
    """A page without a signature with one, by an invitation of that id and key."""
    written = content[: content.rfind(_SIGNATURE)]
    return signed(written, id, signature(written, wire))


def fault(content: str, where: str, id: str, wire: str) -> Problem | None:
    """Why a page is not what somebody with the invitation of that id wrote; None: it is."""
    found = _SIGNED.search(content)
    if found is None:
        why = "its last line is no `anden-signature`"
        return Problem(where, "it is not signed", why, "Ask for the page that was written while somebody was invited.")
    if found["id"] != id:
        what = f"it is signed by the invitation {found['id']}"
        return Problem(where, what, f"this one is {id}", "Use the invitation that it came from.")
    written = content[: content.rfind(_SIGNATURE)]
    if not hmac.compare_digest(signed(written, id, signature(written, wire)), content):
        why = "its text or its signature is another than was written"
        return Problem(where, "it was changed since it was signed", why, "Ask for it again.")
    return None


_SAYS = (
    "HMAC-SHA-256 by a key of invitation {id}, which both sides hold. `anden join INVITATION --verify PAGE` checks it. "
    "It shows that the page was written by who holds the invitation and was not changed since; not by which side, nor "
    "that what it says is true."
)


def _agreed(page: Page) -> Iterator[str]:
    agreement = page.agreement
    policy = agreement.policy
    yield from (
        f"# Link {agreement.link} of {page.key.client}/{page.key.environment}", "",
        f"Written {when(page.at)} by anden; times are UTC. For both network teams.", "",
        "## Agreed", "",
        "| | |", "|---|---|",
        f"| protocol | IKEv2, {_proof(agreement)}; ESP in tunnel mode, in UDP behind NAT |",
        f"| IKE (phase 1) | {_offered(policy.ike)} |",
        f"| ESP (phase 2) | {_offered(policy.esp)} |",
        f"| replay window | {policy.replay_window:,} packets |",
        f"| TCP segments | {agreement.segment:,} bytes at most |",
        "| who starts | the environment's side; the client's answers |",
        f"| the client's device | {agreement.peer} |",
        f"| the client's networks | {', '.join(map(str, agreement.remote))} |",
        f"| the environment is seen as | {agreement.local}{_zones(agreement)} |",
        *_spoken(agreement),
        f"| policy | {policy.name}: {policy.source} |", "",
        "| tunnel | the environment's endpoint | inside: the environment's, the client's | key, by name |",
        "|---|---|---|---|",
    )  # fmt: skip
    for tunnel in agreement.tunnels:
        inside = tunnel.ours.inside
        within = "-" if inside is None else f"{inside.ip}, {inside.ip + 1} of {inside.network}"
        address = tunnel.ours.address or "known after the first apply"
        yield f"| {tunnel.number} | {address} | {within} | {tunnel.key or '-'} |"
    yield ""


def _proof(agreement: Agreement) -> str:
    if agreement.certified:
        return "certificates of one authority for both sides, each for its own address"
    return "a pre-shared key for each tunnel"


def _spoken(agreement: Agreement) -> Iterator[str]:
    if (bgp := agreement.bgp) is None:
        return
    yield f"| BGP | the environment is AS {bgp.ours}, the client AS {bgp.theirs}; neighbours are the insides |"
    theirs = ", ".join(map(str, agreement.remote))
    yield f"| announced | by the environment exactly {agreement.local}, by the client exactly {theirs} |"
    yield f"| BGP's timers | {bgp.keepalive_s} s between two signs of life, given up after {bgp.hold_s} s |"


def _zones(agreement: Agreement) -> str:
    shares = ", ".join(f"zone {zone}: {share}" for zone, share in agreement.zones)
    return f" ({shares})" if shares else ""


def _offered(offered: Proposals) -> str:
    encryption = " or ".join(_SPELLED[each] for each in offered.encryption)
    groups = ", ".join(_SPELLED[each] for each in offered.groups)
    integrity = ", ".join(each.upper().replace("SHA", "SHA-") for each in offered.integrity)
    return f"{encryption}; {integrity}; groups {groups}; {offered.lifetime_s:,} s"


def _admitted(page: Page) -> Iterator[str]:
    agreement = page.agreement
    ours = ", ".join(str(tunnel.ours.address) for tunnel in agreement.tunnels)
    yield from (
        "## To admit", "",
        f"- At {agreement.peer}: UDP 500 and 4500 from {ours}, and ESP (protocol 50) where there is no NAT between.",
        f"- Behind it, what begins at {agreement.local}{'' if page.admitted else _NOTHING}:", "",
        "| destination | to | protocol |", "|---|---|---|",
    )  # fmt: skip
    for each in page.openings:
        yield f"| {each.destination} | {each.to} | TCP |"
    if not page.openings:
        yield "| none is reached yet | | |"
    yield ""
    if page.admitted:
        yield from ("- From behind it, what the environment lets in; nothing else begins on the client's side:", "")
        yield from ("| service | from | dials | protocol |", "|---|---|---|---|")
        for one in page.admitted:
            yield f"| {one.service} | {', '.join(map(str, one.sources))} | {one.to} | TCP |"
        yield ""


def _seen(page: Page) -> Iterator[str]:
    on_aws = page.key.engine is EngineName.AWS
    yield from ("## Seen", "")
    if on_aws:
        yield from (_APART, "")
    how = "as AWS's telemetry of the connection says" if on_aws else None
    nothing = "It is not on this page: nothing carries it here." if on_aws else "Nothing was seen from there."
    yield from _side("From the environment's side", page.ours, page.our_problems, nothing, how)
    yield from _side("From the client's side", page.theirs, page.their_problems, nothing)


def _side(
    title: str, sight: Sight | None, problems: Sequence[Problem], nothing: str, how: str | None = None
) -> Iterator[str]:  # fmt: skip
    """how: it was looked at, where no machine of ours hears another one."""
    yield from (f"### {title}", "")
    if sight is None:
        yield from (nothing, "")
        return
    heard = how or f"the other machine {'is heard' if sight.heard else 'is not heard'}"
    between = f", since {when(sight.since)};" if how is None else ","
    yield from (f"Looked at {when(sight.at)}{between} {heard}.", "")
    yield from ("| tunnel | state | since |", "|---|---|---|")
    for tunnel in sight.tunnels:
        since = when(tunnel.since) if tunnel.since else "-"
        yield f"| {tunnel.number} | {'up' if tunnel.up else 'down' if tunnel.since else 'never up'} | {since} |"
    yield ""
    if problems:
        yield from (*(f"- {_plain(str(each))}" for each in problems), "")
    if sight.asked:
        yield from ("| seen source | asked | times | first | last |", "|---|---|---|---|---|")
        yield from _rows(sight)
        yield ""


def _plain(said: str) -> str:
    """A line of text in which nothing is Markdown's but the backticks of our own words."""
    return re.sub(r"([\\<>\[\]|*_#])", r"\\\1", " ".join(said.split()))


def _rows(sight: Sight) -> Sequence[str]:
    ordered = sorted(sight.asked, key=lambda each: (each.source, each.to))
    return [
        f"| {each.source} | {each.to} | {each.times:,} | {when(each.first)} | {when(each.last)} |" for each in ordered
    ]
