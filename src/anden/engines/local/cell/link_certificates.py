"""The certificates of a link's rehearsal: made and renewed in the cell, by an authority of the link's own that lives
there. Only the link's watch makes them; the data centre reads its own.
"""

from contextlib import suppress

from anden.engines.local import link_authority
from anden.engines.local.cell.link_files import AUTHORITY, OTHER_SIDE, LinkFiles
from anden.engines.local.render.strongswan import Proof
from anden.model.link import Agreement


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


def _kept(files: LinkFiles, name: str) -> Proof | None:
    with suppress(OSError, ValueError):
        return files.proof(name)
    return None
