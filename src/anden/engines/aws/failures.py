"""What goes wrong with a stack, as problems in four parts. Pure."""

from collections.abc import Sequence

from anden.engines.aws.happenings import Cause
from anden.model.problem import Problem

AGAIN = "Mend what AWS names, and run the same command again: it goes on from here."
CUT_OFF = Problem("aws", "this run was ended", "what AWS has in work goes on there", "Run the same command again.")
MOST_NAMED = 5
"""Resources that a sentence names."""


def failed(name: str, ended: str, cause: Cause) -> Problem:
    """An operation ended badly, and what it did was undone. ended: CloudFormation's status."""
    back = "its creation was rolled back, and nothing of it stands" if "UPDATE" not in ended else "it stands as before"
    what = f"{cause.resource} ({cause.kind}) failed" if cause.resource else f"ended as {ended}"
    return Problem(_at(name), what, f"AWS said: {cause.said}; {back}", AGAIN)


def stuck(name: str, cause: Cause, back: Cause) -> Problem:
    """UPDATE_ROLLBACK_FAILED: it is neither what it was nor what it was to become. cause: why the update failed.
    back: what could not be put back."""
    fix = (
        f"Mend that, then `aws cloudformation continue-update-rollback --stack-name {name}`"
        " (with --resources-to-skip for what cannot be mended), and run the same command again."
    )
    what = f"its update failed, and {back.resource or 'something'} could not be put back (UPDATE_ROLLBACK_FAILED)"
    first = f"; what the update failed at was {cause.resource}: {cause.said}" if cause.resource else ""
    return Problem(_at(name), what, f"AWS said: {back.said}{first}", fix)


def half_deleted(name: str, cause: Cause) -> Problem:
    """DELETE_FAILED, and it is wanted again."""
    what = f"it was being deleted, and {cause.resource or 'some of it'} could not be (DELETE_FAILED)"
    fix = f"Mend that, delete it with `aws cloudformation delete-stack --stack-name {name}`, then run this again."
    return Problem(_at(name), what, f"AWS said: {cause.said}", fix)


def undeletable(name: str, ended: str, cause: Cause, guarded: Sequence[str]) -> Problem:
    """A deletion ended badly. guarded: resources of it that are protected against deletion."""
    what = f"{cause.resource or 'it'} could not be deleted"
    said = f"AWS said: {cause.said}" if cause.resource else f"it ended as {ended}"
    if guarded:
        why = f"{said}; {', '.join(guarded[:MOST_NAMED])} has deletion protection on, and this plan does not lift it"
        return Problem(_at(name), what, why, "`anden down` lifts it; to end this stack alone, turn it off yourself.")
    return Problem(_at(name), what, said, "See what still uses it, end that, and run the same command again.")


def unready(name: str, limit_s: float) -> Problem:
    """The change set takes too long."""
    what = f"the change set was not ready after {limit_s:.0f} s"
    return Problem(_at(name), what, "nothing was changed", "Run the same command again.")


def unended(name: str, limit_s: float, status: str) -> Problem:
    """The operation takes too long."""
    what = f"has not ended in {limit_s / 3600:.0f} h ({status})"
    return Problem(_at(name), what, "CloudFormation is still at it", "Look at it, and run this again.")


def refused(name: str, reason: str) -> Problem:
    """CloudFormation makes no change set of the template."""
    fix = "Nothing was changed. Mend what it names, and run the same command again."
    return Problem(_at(name), "CloudFormation refuses the change set", reason, fix)


def stale(name: str, said: str) -> Problem:
    """The change set that was approved cannot be executed any more."""
    fix = "Plan again, and have it approved."
    return Problem(_at(name), "the change set that was approved cannot be executed", said, fix)


def moved(name: str, status: str) -> Problem:
    """Something changed the stack after the change set was approved. status: CloudFormation's."""
    what = "the stack was changed since the change set was approved"
    why = f"it is {status} now, and what was approved was made from how it stood then"
    return Problem(_at(name), what, why, "Plan again, and have it approved.")


def too_large(name: str, size: int, most: int) -> Problem:
    """No way leads such a template into CloudFormation. size, most: bytes."""
    fix = "Divide the environment: fewer services in one, or fewer overrides of this stack."
    return Problem(_at(name), f"its template has {size} bytes", f"CloudFormation takes {most} of one", fix)


def no_bucket(name: str, size: int, most: int, bucket: str) -> Problem:
    """A template that does not fit into a request needs the client's bucket. size, most: bytes."""
    what = f"its template has {size} bytes, and there is no bucket {bucket} to hand it over in"
    return Problem(
        _at(name), what, f"CloudFormation takes {most} bytes in a request", "Set the account up first (docs/aws.md)."
    )


def other_account(wanted: str, account: str) -> Problem:
    """The credentials are not of the account that the blueprint names."""
    fix = f"Use credentials of {wanted}, or correct `account` in the manifest."
    what = f"the credentials are of account {account}"
    return Problem(f"account {wanted}", what, "the blueprint names its account", fix)


def _at(name: str) -> str:
    return f"stack {name}"
