"""What proves the two sides of a link to each other: keys, or certificates."""

import re
from collections.abc import Iterator

from anden.manifest.faults import Faults
from anden.manifest.names import CERTIFICATE_ARN
from anden.manifest.record import Said
from anden.manifest.view import View


def proved(view: View, faults: Faults) -> None:
    """By one of the two."""
    for name, link in view.links.items():
        if link.absent("secret") and link.absent("certificate"):
            faults.add(
                link.node,
                f"nothing proves the two sides of the link {name} to each other",
                "a link has a pre-shared key for each tunnel, or certificates",
                "Add `secret: [vpn-1, vpn-2]`, or `certificate: rehearsal`.",
            )
        elif not link.absent("secret") and not link.absent("certificate"):
            faults.add(
                link.at("certificate"),
                f"the link {name} has keys and a certificate",
                f"one of the two proves its sides; the keys are in line {link.at('secret').line}",
                "Remove one of the two.",
            )


def in_its_account(view: View, faults: Faults) -> None:
    """A customer gateway takes a certificate of its own account and region."""
    for link in view.links.values():
        for what, theirs, own in _apart(link, view):
            faults.add(
                link.at("certificate"),
                f"the certificate is of the {what} {theirs}",
                f"{view.name} is in {own}, and AWS takes a link's certificate from there only",
                f"Use the ARN of one in {own}, or `certificate: rehearsal` until there is one.",
            )


def _apart(link: Said, view: View) -> Iterator[tuple[str, str, str]]:
    found = re.fullmatch(CERTIFICATE_ARN, link.get("certificate", ""))
    for what in ("account", "region"):
        own = view.said.get(what)
        if found is not None and own is not None and found[what] != own:
            yield what, found[what], own


CHECKS = (proved, in_its_account)
