"""The certificates of a link's rehearsal: made and renewed in the cell, by an authority of the link's own that lives
there. The link's watch makes those of the sides that stand in the cell, and the authority; the data centre reads its
own. Who is invited gets one from the supervisor, for a key that never was here.
"""

from contextlib import suppress

from anden.engines.local import link_authority
from anden.engines.local.cell.link_files import AUTHORITY, OTHER_SIDE, LinkFiles
from anden.engines.local.render.strongswan import Proof
from anden.model.invitation import Rehearsal, Vouched
from anden.model.link import Agreement
from anden.model.problem import Problem, Problems


def ensure(files: LinkFiles, agreement: Agreement, now: float) -> float:
    """Make what is missing, and make anew what has a third of its time left; when the next is due, Unix seconds. now:
    Unix seconds. Raises OSError."""
    authority = _kept(files, AUTHORITY)
    if authority is None or now >= authority.renew_at:
        authority = link_authority.authority(agreement.link, now)
        files.put_proof(AUTHORITY, authority)
    sides = {str(tunnel.number): str(tunnel.our_identity) for tunnel in agreement.tunnels}
    sides[OTHER_SIDE] = str(agreement.peer)
    due = authority.renew_at
    for name, address in sides.items():
        proof = _kept(files, name)
        if proof is None or proof.authority != authority.certificate or now >= proof.renew_at:
            proof = link_authority.vouched(authority, address, now)
            files.put_proof(name, proof)
        due = min(due, proof.renew_at)
    return due


def issue(files: LinkFiles, agreement: Agreement, rehearsal: Rehearsal, now: float) -> Vouched:
    """For the other side's agreed address and the rehearsal's public key, until the rehearsal ends. now: Unix seconds.
    Raises Problems."""
    where, authority = f"link {agreement.link}", _kept(files, AUTHORITY)
    if not agreement.certified:
        raise Problems(Problem(where, "its sides are proved by keys", "it was changed meanwhile", "Invite again."))
    if authority is None:
        why = "the link's watch makes it when it begins"
        raise Problems(Problem(where, "its authority is not there yet", why, "Invite again in a moment."))
    try:
        made = link_authority.vouched_for(authority, str(agreement.peer), rehearsal.public, now, rehearsal.until)
    except ValueError as error:
        what = "nobody can be vouched for by this invitation"
        raise Problems(Problem(where, what, str(error), "Have it made anew: `anden link invite`.")) from None
    return Vouched(made, authority.certificate)


def _kept(files: LinkFiles, name: str) -> Proof | None:
    with suppress(OSError, ValueError):
        return files.proof(name)
    return None
