"""Why certificates do not prove the two sides of a tunnel, from strongSwan's own words: heard from strongSwan 5.9.8, as
those of `tunnel_cause`.

Which of the two is wrong the refused side does not hear: it is said by who refuses. What can be seen from here is that
our own has ended, and that the other side asks for another authority's.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from anden.model.link import Agreement, Tunnel

REFUSED = re.compile(r"^received AUTHENTICATION_FAILED notify error$")
OTHER_AUTHORITY_ASKED = re.compile(r"^received \d+ cert requests for an unknown ca$")
ENDED = re.compile(r"^subject certificate invalid \((?P<when>valid from .* to .*)\)$")
NOT_OURS = re.compile(r"^no issuer certificate found for \"(?P<who>.*)\"$")
SHOWN = re.compile(r"^received end entity cert \"(?P<who>.*)\"$")
TAKEN = re.compile(r"^  using certificate ")
NO_KEY = re.compile(r"^no private key found for ")
NOT_INVITED = re.compile(r"^constraint check failed: peer not authenticated with peer cert ")
UNPROVED = re.compile(r"^no trusted \S+ public key found for ")

Said = tuple[str, str, str]
"""What, why and what to do."""


def certificates(agreement: Agreement, tunnel: Tunnel, said: Sequence[str], ended: float | None) -> Said | None:
    """None: it is not for the certificates, or nobody knows. ended: when ours did, Unix seconds."""
    peer, found = agreement.peer, _found(said)
    compare = "Have the other side show one of the authority that both agreed on, for its own address."
    if NO_KEY in found:
        return (
            "our key does not fit our certificate",
            "strongSwan has no private key for the certificate that it was given",
            f"`anden link down {agreement.link} --tunnel {tunnel.number}` and `up` take both anew.",
        )
    if ENDED in found:
        when = found[ENDED]["when"]
        return f"{peer} shows a certificate that does not hold now", f"it is {when}", "Have the other side renew it."
    if NOT_OURS in found:
        why = f"who issued its certificate, {found[NOT_OURS]['who']}, is not the link's authority"
        return f"{peer} shows a certificate of an authority that we do not trust", why, compare
    if NOT_INVITED in found:
        why = "it is of the link's authority and for its address, and no one but that of the open invitation is taken"
        fix = f"Have the other side use the file that was written last: `anden link invite {agreement.link}`."
        return f"{peer} shows another certificate than the invitation's", why, fix
    if UNPROVED in found and SHOWN in found and TAKEN not in found:
        why = f"its certificate says {found[SHOWN]['who']}, and {tunnel.peer_identity} is agreed"
        return f"{peer} shows a certificate of another identity", why, compare
    return _refused(agreement, tunnel, ended, asked=OTHER_AUTHORITY_ASKED in found) if REFUSED in found else None


def _refused(agreement: Agreement, tunnel: Tunnel, ended: float | None, asked: bool) -> Said:
    peer, again = agreement.peer, f"`anden link status {agreement.link}` shows whether the next attempt succeeds."
    if ended is not None:
        when = f"{datetime.fromtimestamp(ended, UTC):%Y-%m-%d %H:%M:%S} UTC"
        why = f"it ended at {when}; the link's watch renews it by itself, and did not"
        return "our certificate has ended", why, f"Check this machine's clock. {again}"
    if asked:
        why = "it asks for a certificate of another one than ours is of"
        return f"{peer} trusts another authority", why, "Have the other side trust the authority that both agreed on."
    return (
        f"{peer} refused our certificate, or has no key for its own",
        f"it does not say why; it has to trust the authority of ours, to expect {tunnel.our_identity}, and to be "
        f"{tunnel.peer_identity} itself",
        f"Its own log says why: compare it with `anden link config {agreement.link}`.",
    )


def _found(said: Sequence[str]) -> dict[re.Pattern[str], re.Match[str]]:
    """Each pattern to the newest line that it matches."""
    patterns = (REFUSED, OTHER_AUTHORITY_ASKED, ENDED, NOT_OURS, SHOWN, TAKEN, NO_KEY, NOT_INVITED, UNPROVED)
    return {each: match for each in patterns for line in said if (match := each.match(line))}
