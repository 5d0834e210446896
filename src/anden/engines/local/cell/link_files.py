"""What a link's processes and the supervisor leave for each other, on the cell's private tmpfs:

/run/anden/links/N           0700
    agreement.json           what both sides agreed on
    keys.json        0600    name of a key to its value
    certificates/            in the place of keys: of the authority, of each tunnel and of the other side
        NAME.json    0600    with its key
    lowered.json             the numbers of tunnels that are to stay down (SIGHUP: read it anew)
    far                      a file while the data centre is to stand on the other side
    invited.json     0600    a rehearsal: until when, and its keys in the place of the link's
    joined.json              whom the wire to the other machine hears
    state.json               what the watch sees
    T/                       tunnel T's daemon: settings, the socket of its API
    far.d/                   the data centre's
/run/anden/speakers/N.T/     0700, nobody's: BIRD's settings and control socket, where BGP is spoken
                    N.far/   the data centre's
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anden.engines.local.cell import protocol
from anden.engines.local.render.strongswan import Proof
from anden.model import codec
from anden.model.invitation import Rehearsal

FOLDER = protocol.RUN / "links"
SPEAKERS = protocol.RUN / "speakers"
PRIVATE = 0o700
AUTHORITY, OTHER_SIDE = "authority", "other-side"


@dataclass(frozen=True, slots=True)
class LinkFiles:
    """Of the link with that number."""

    number: int

    @property
    def folder(self) -> Path:
        """All of it."""
        return FOLDER / str(self.number)

    @property
    def agreement(self) -> Path:
        """See above, as the next ones."""
        return self.folder / "agreement.json"

    @property
    def state(self) -> Path:
        """Written by the watch."""
        return self.folder / "state.json"

    @property
    def far(self) -> Path:
        """There while the data centre is wanted."""
        return self.folder / "far"

    @property
    def invited(self) -> Path:
        """There from an invitation to its end."""
        return self.folder / "invited.json"

    @property
    def joined(self) -> Path:
        """Written by the wire to the other machine."""
        return self.folder / "joined.json"

    def daemon(self, tunnel: int | None) -> Path:
        """The folder of a tunnel's daemon; None: of the data centre's."""
        return self.folder / ("far.d" if tunnel is None else str(tunnel))

    def speaker(self, tunnel: int | None) -> Path:
        """The folder of a tunnel's BIRD; None: of the data centre's."""
        return SPEAKERS / f"{self.number}.{'far' if tunnel is None else tunnel}"

    def keys(self) -> dict[str, str]:
        """The keys' values: the rehearsal's while one is invited to. Raises OSError, ValueError."""
        if (rehearsal := self.rehearsal()) is not None:
            return dict(rehearsal.keys)
        found: dict[str, str] = json.loads((self.folder / "keys.json").read_text())
        return found

    @property
    def certificates(self) -> Path:
        """There where certificates prove both sides."""
        return self.folder / "certificates"

    def proof(self, name: str) -> Proof:
        """A side's certificate and key: of a tunnel, by its number, of AUTHORITY, or of OTHER_SIDE. Raises OSError,
        ValueError."""
        return codec.from_json(Proof, (self.certificates / f"{name}.json").read_text())

    def put_proof(self, name: str, proof: Proof) -> None:
        """Nobody else's from the first moment. Raises OSError."""
        self.certificates.mkdir(mode=PRIVATE, exist_ok=True)
        write(self.certificates / f"{name}.json", codec.to_json(proof), 0o600)

    def rehearsal(self) -> Rehearsal | None:
        """The one that is open; None: there is none, or it has ended."""
        with suppress(OSError, ValueError):
            found = codec.from_json(Rehearsal, self.invited.read_text())
            return found if time.time() < found.until else None
        return None

    def expected(self) -> str:
        """The one certificate of the other side's that is taken while somebody is invited; empty: any of the link's
        authority for its address."""
        return found.certificate if (found := self.rehearsal()) is not None else ""

    def put_keys(self, keys: Mapping[str, str]) -> None:
        """Nobody else's from the first moment."""
        write(self.folder / "keys.json", json.dumps(dict(keys)), 0o600)

    def lowered(self) -> frozenset[int]:
        """The tunnels that are to stay down."""
        with suppress(OSError, ValueError):
            return frozenset(json.loads((self.folder / "lowered.json").read_text()))
        return frozenset()

    def lower(self, tunnels: frozenset[int]) -> None:
        """These, and no others."""
        write(self.folder / "lowered.json", json.dumps(sorted(tunnels)), 0o600)

    def seen(self) -> dict[str, Any]:
        """What the watch wrote last; nothing, when it has not."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(self.state.read_text())
            return found
        return {}


def write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, and with its mode from the first moment. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
