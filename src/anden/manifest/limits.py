"""Single values of a route's limits: sizes of bodies, rates, origins, methods and headers of browsers."""

import re

from anden.manifest.faults import Wrong
from anden.manifest.figures import FIGURE, duration
from anden.manifest.names import DOMAIN_PATTERN, text_of
from anden.manifest.node import Scalar
from anden.manifest.shape import Leaf
from anden.model.topology import Rate

LARGEST_BODY = 1024**3
"""Bytes; what is larger belongs into a store of objects."""
MOST_REQUESTS = 1_000_000
"""Of a rate."""
ANY = "*"
_BYTES = {"B": 1, "KB": 1024, "KiB": 1024, "MB": 1024**2, "MiB": 1024**2, "GB": 1024**3, "GiB": 1024**3}
_SIZE = rf"({FIGURE}) ?(B|KB|KiB|MB|MiB|GB|GiB)"
_SECONDS = {"s": 1, "min": 60}
_RATE = r"([0-9]{1,7}) ?/ ?(s|min)"
_SPELT = {"s": "s", "sec": "s", "second": "s", "seconds": "s", "m": "min", "min": "min", "minute": "min"}


def _size(scalar: Scalar) -> int:
    found = re.fullmatch(_SIZE, scalar.text)
    if found is None:
        spelt = re.fullmatch(rf"({FIGURE}) ?([KkMmGg])?[iI]?[bB]?", scalar.text)
        raise Wrong(meant=f"{spelt[1]} {(spelt[2] or 'M').upper()}B" if spelt else "")
    size = round(float(found[1]) * _BYTES[found[2]])
    if not 0 <= size <= LARGEST_BODY:
        raise Wrong("Use 1 GB or less.")
    return size


BODY = Leaf(
    "the size of a body",
    "a body has at most so many B, KB, MB or GB, and never more than 1 GB",
    "1 MB",
    _size,
    {"type": "string", "pattern": f"^{FIGURE} ?(?:B|KB|KiB|MB|MiB|GB|GiB)$"},
)


def _rate(scalar: Scalar) -> Rate:
    found = re.fullmatch(_RATE, scalar.text)
    if found is None:
        spelt = re.fullmatch(r"([0-9]{1,7}) ?(?:/|per|a|r/|requests/)? ?([a-z]+)", scalar.text)
        unit = _SPELT.get(spelt[2]) if spelt else None
        raise Wrong(meant=f"{spelt[1]}/{unit}" if spelt and unit else "")
    if not 1 <= int(found[1]) <= MOST_REQUESTS:
        raise Wrong(f"Use 1/{found[2]} to {MOST_REQUESTS}/{found[2]}.")
    return Rate(int(found[1]), _SECONDS[found[2]])


RATE = Leaf(
    "a rate",
    "a rate is a number of requests a second or a minute",
    "20/s",
    _rate,
    {"type": "string", "pattern": r"^[0-9]{1,7} ?/ ?(?:s|min)$"},
)
ORIGIN = text_of(
    "an origin",
    'an origin is where a page comes from, as a browser says it: scheme, host and port, or "*" for any',
    "https://app.bank.example",
    rf"\*|https?://(?:localhost|{DOMAIN_PATTERN})(?::[0-9]{{1,5}})?",
    guess=lambda text: re.sub(r"(?<=[a-z0-9])/.*$", "", re.sub(r"^(?!https?://)(?:[a-z]+://)?", "https://", text)),
)
METHOD = text_of(
    "a method",
    "methods are HTTP's, in capitals",
    "GET",
    r"GET|HEAD|POST|PUT|PATCH|DELETE",
    guess=lambda text: text.upper(),
)
HEADER = text_of("a header", "a header's name has letters, digits and dashes", "content-type", r"[A-Za-z0-9-]{1,64}")
AGE = duration("an age", 0, 86_400, "10 m", "no browser keeps an answer longer")
