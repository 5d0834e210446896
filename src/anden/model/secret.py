"""Secrets by name and version. A value is known to who seals it and to the engine that hands it over, and to nobody
else: nothing here but `SecretValue` holds one, and that shows itself to nobody by accident."""

import re
from dataclasses import dataclass
from typing import Final, NoReturn

MOST_BYTES = 65_536
"""Of a value, as UTF-8. Secrets Manager's limit (its user guide, "Quotas")."""
MOST_SECRETS = 500
"""Of an environment."""
KEPT_VERSIONS = 10
"""Of a secret: the newest ones, and whatever runs or may be gone back to at once. Secrets Manager takes at most 20
staging labels (its user guide, "Quotas"), and a version without one may go at any time."""
MOUNT = "/run/secrets"
"""The folder of an instance that holds its secrets as files. No keys of a manifest lie deeper."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,63}")
"""What a secret may be called; the manifest says the same."""
PRE_SHARED_KEY = re.compile(r"(?!0)[A-Za-z0-9._]{8,64}")
"""A tunnel's key (EC2 API, "VpnTunnelOptionsSpecification"); the twin takes no other, so that what rises here rises
there."""
RANDOM_LENGTH, LEAST_RANDOM, MOST_RANDOM = 43, 16, 1_024
"""Characters of a made-up value: 43 letters and digits are 256 bits."""
_NUMBERED = re.compile(r"v([1-9][0-9]{0,8})-[0-9a-f]+")


class SecretValue:
    """A value on its way. It has no representation, is no part of any text, and cannot be written by `model.codec`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The value itself, for who hands it over."""
        return self._text

    def __repr__(self) -> str:
        return "SecretValue(…)"

    def __str__(self) -> str:
        return "…"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret's value is not pickled")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A version of a secret, as blueprints and instances name it. version: its id; empty where nobody could be asked
    which there are (a template that is only printed)."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """id: `v2-5f0c…`, given once and never again, also not after its secret was removed. at: Unix seconds. who: the
    caller by peer credentials; empty when nobody knows."""

    id: str
    at: float
    who: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """What there is of a secret: its versions, newest first, one or more."""

    name: str
    versions: tuple[SecretVersion, ...]

    @property
    def newest(self) -> SecretVersion:
        """The one that a new blueprint names."""
        return self.versions[0]

    def version(self, id: str) -> SecretVersion | None:
        """The version of that id, if it is still kept."""
        return next((one for one in self.versions if one.id == id), None)


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """One line of `anden secret list`.

    version: the newest one as people see it (`v2`), empty when there is none: somebody needs it and it is missing.
    kept: how many versions are. at: since when the newest is. used_by: `accounts`, `link core, tunnel 1`.
    running: the versions in what runs where another than the newest is, as people see them.
    """

    name: str
    version: str
    id: str
    kept: int
    at: float | None
    who: str
    used_by: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


def version_id(number: int, random: str) -> str:
    """The id of a secret's `number`th version. random: hexadecimal digits, so that records that were restored from an
    older copy never give the same id to another value."""
    return f"v{number}-{random}"


def number(id: str) -> int:
    """Which version it is; 0 for an id that is not ours (a value that was put into Secrets Manager by hand)."""
    found = _NUMBERED.fullmatch(id)
    return int(found.group(1)) if found else 0


def shown(id: str) -> str:
    """A version's id as people see it: `v2`, or the beginning of an id that is not ours."""
    return f"v{number(id)}" if number(id) else id[:8]
