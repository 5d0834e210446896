"""What is asked of an invitation to a link on AWS, and what is said of it: nothing of it is kept there."""

from anden.control.other_side import only_their_device
from anden.model.invitation import LONGEST_S, SHORTEST_S, Rehearsal
from anden.model.problem import Problem
from anden.model.topology import Link
from anden.planning.invitations import when


def unfit(rehearsal: Rehearsal, link: Link, now: float) -> Problem | None:
    """Never repeats a key."""
    where = f"invitation to link {link.name}"
    if link.certificate is not None:
        return only_their_device(link.name)
    if not SHORTEST_S <= rehearsal.until - now <= LONGEST_S:
        why = f"from {SHORTEST_S:g} s to {LONGEST_S / 86_400:g} days"
        return Problem(where, "it cannot last so long", why, "Say another time: `--expires 7d`.")
    if rehearsal.meet:
        why = "AWS's endpoints are met themselves"
        return Problem(where, f"nobody is met at {rehearsal.meet}", why, "Leave out `--meet`.")
    if rehearsal.keys or rehearsal.wire:
        why = "the tunnels' keys are the link's own, and both teams have them"
        return Problem(where, "keys come with it", why, "Leave them out.")
    return None


def said(name: str, rehearsal: Rehearsal | None) -> str:
    """Of what was done."""
    if rehearsal is None:
        return (
            f"link {name}: on AWS an invitation changes nothing, so nothing stands and there is nothing to end; a file "
            "ends with its time"
        )
    return f"link {name}: who holds the file and its keys may be the other side, until {when(rehearsal.until)}"
