"""AS numbers: of the other side of a link that speaks BGP."""

import re

from anden.manifest.faults import Wrong
from anden.manifest.node import Scalar
from anden.manifest.shape import Leaf
from anden.model.link import OUR_ASN

HIGHEST = 2**32 - 1
RESERVED = (
    (0, 0, "it is nobody's (RFC 7607)"),
    (7224, 7224, "AWS keeps it for itself"),
    (9059, 9059, "AWS keeps it for itself, in eu-west-1"),
    (10124, 10124, "AWS keeps it for itself, in ap-northeast-1"),
    (17943, 17943, "AWS keeps it for itself, in ap-southeast-1"),
    (23456, 23456, "it stands for longer numbers where only short ones are understood (RFC 6793)"),
    (64496, 64511, "it is for documentation (RFC 5398)"),
    (65535, 65535, "it is reserved (RFC 7300)"),
    (65536, 65551, "it is for documentation (RFC 5398)"),
    (65552, 131071, "IANA keeps it"),
    (HIGHEST, HIGHEST, "it is reserved (RFC 7300)"),
)
"""First, last, and why nobody's device has it: IANA's registry of special-purpose AS numbers, and AWS Site-to-Site VPN
user guide, "Customer gateway options"."""
PRIVATE = "64513 to 65534 and 4200000000 to 4294967294"
"""RFC 6996, without ours."""


def _asn(scalar: Scalar) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", scalar.text) or int(scalar.text) > HIGHEST:
        meant = re.fullmatch(r"AS ?([0-9]{1,10})", scalar.text, re.IGNORECASE)
        raise Wrong(meant=meant[1] if meant else None)
    number = int(scalar.text)
    if number == OUR_ASN:
        raise Wrong(
            f"Use the number that the client's network has, or one of {PRIVATE}.",
            what=f"{number} is the environment's own",
            why="both sides of a link have a number of their own",
        )
    for first, last, why in RESERVED:
        if first <= number <= last:
            raise Wrong(
                f"Use the number that the client's network has, or a private one: {PRIVATE}.",
                what=f"no device has the AS number {number}",
                why=why,
            )
    return number


ASN = Leaf(
    "an AS number",
    f"AS numbers run from 1 to {HIGHEST}",
    "65010",
    _asn,
    {"type": "integer", "minimum": 1, "maximum": HIGHEST},
)
