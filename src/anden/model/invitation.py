"""An invitation to the other side of a link: a rehearsal of the agreement with keys of its own, which end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from anden.model.ids import EnvironmentKey
from anden.model.link import Admitted, Agreement, Opening

VERSION = 1
"""Of the file."""
PORT = 4510
"""Of UDP, where the twin's machine is met unless another one is said."""
LONGEST_S = 30 * 86_400.0
SHORTEST_S = 60.0
USUAL_S = 7 * 86_400.0
WIRE_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What our side keeps of an invitation. id: names it. until: Unix seconds. meet: `HOST:PORT` of our machine. keys:
    a key of the link to the value that stands for it meanwhile. wire: the key of what carries IKE between both.

    Where certificates prove both sides there are no keys. public: of the other side's key, PEM; certificate: the one
    that was issued for it, which our side takes meanwhile and no other; empty until it is.

    On AWS our side keeps nothing: there `meet` is empty, for its endpoints are met themselves, there is no key (but
    those that who joins was asked for, which are the link's own), and `wire` signs pages only.
    """

    id: str
    until: float
    meet: str
    keys: Mapping[str, str] = field(repr=False)
    wire: str = field(repr=False)
    public: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Vouched:
    """A certificate of the other side's for a rehearsal, and its authority's, each as PEM. Neither is secret."""

    certificate: str
    authority: str


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves the other side in a rehearsal in the place of keys: as PEM, the certificate's key too, which only the
    file has."""

    certificate: str
    authority: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """The file. made: Unix seconds. credential: where certificates prove both sides; None: keys do."""

    key: EnvironmentKey
    made: float
    agreement: Agreement
    openings: tuple[Opening, ...]
    rehearsal: Rehearsal
    admitted: tuple[Admitted, ...] = ()
    credential: Credential | None = None
