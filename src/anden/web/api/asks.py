"""What requests carry, and the one answer that is no report. Shapes are public: add to them, do not change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from anden.model.approval import SavedPlan
from anden.model.drill import DrillKind
from anden.model.fault import Outage
from anden.model.ids import EngineName
from anden.model.secret import RANDOM_LENGTH


@dataclass(frozen=True, slots=True)
class At:
    """Where: an environment of a client on an engine, and the manifest as it is now, if the caller has one.

    environment None: the manifest's default. folder: where the manifest lies. manifest: its text.
    """

    client: str
    environment: str | None = None
    engine: EngineName = EngineName.LOCAL
    folder: str = ""
    manifest: str | None = None
    file: str = "anden.yaml"
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Files of overrides beside the manifest, name to text."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The same of issuers' public keys, by their names in the manifest."""


@dataclass(frozen=True, slots=True)
class Up:
    """deployed: what becomes of images deployed beside the manifest.
    gateway: `HOST:PORT`; None: the one that was kept, or the default.
    manners: `twin` or `aws`; None: those that were kept, or the twin's.
    plan: what was saved of a plan: exactly that is done, or nothing."""

    at: At
    gateway: str | None = None
    deployed: Literal["ask", "keep", "revert"] = "ask"
    adopt: bool = False
    manners: Literal["twin", "aws"] | None = None
    plan: SavedPlan | None = None


@dataclass(frozen=True, slots=True)
class Deploy:
    """Another image of a service."""

    at: At
    service: str
    image: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Another level of a service, within its range."""

    at: At
    service: str
    level: int


@dataclass(frozen=True, slots=True)
class Restart:
    """service None: all."""

    at: At
    service: str | None = None


@dataclass(frozen=True, slots=True)
class PutSecret:
    """A new version of a secret. value None: one of `length` letters and digits is made up. rotate: what runs takes it
    now, rolling."""

    at: At
    name: str
    value: str | None = field(default=None, repr=False)
    length: int = RANDOM_LENGTH
    rotate: bool = False


@dataclass(frozen=True, slots=True)
class RemoveSecret:
    """All versions of a secret."""

    at: At
    name: str


@dataclass(frozen=True, slots=True)
class SealSecrets:
    """What seals the key of all of the client's secrets. by: the ARN of a key of KMS; None: it lies in its file."""

    at: At
    by: str | None = None


@dataclass(frozen=True, slots=True)
class TurnLink:
    """Raise a tunnel of a link, or lower it and leave it so; all of them, when tunnel is None."""

    at: At
    name: str
    tunnel: int | None = None
    up: bool = True


@dataclass(frozen=True, slots=True)
class ConfigureOther:
    """How the other side of a link configures a device, by its name. invites: an invitation is made of it, which may
    be refused where a configuration is not, and the other way."""

    at: At
    name: str
    device: str = "strongswan"
    invites: bool = False


@dataclass(frozen=True, slots=True)
class NameLink:
    """A link, by its name."""

    at: At
    name: str


@dataclass(frozen=True, slots=True)
class Invite:
    """Who holds the invitation of that id is the other side of a link, until then (Unix seconds). meet: `HOST:PORT` of
    this machine, for UDP. keys: for each key of the link, by name, the one that stands for it meanwhile. wire: 64
    hexadecimal digits, by which both sides know each other. until 0: nobody is invited any more. public: in the place
    of keys where certificates prove both sides: the public half of the other side's key, PEM. What is issued for it is
    in the data of an event, as a Vouched. On AWS meet, keys, wire and public are empty: nothing is kept there."""

    at: At
    name: str
    id: str = ""
    until: float = 0.0
    meet: str = ""
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    wire: str = field(default="", repr=False)
    public: str = ""


@dataclass(frozen=True, slots=True)
class DataCentre:
    """wanted: the twin's own data centre stands on the other side of links; otherwise nobody."""

    at: At
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """prepare: for approval: what can be prepared is, and is in the answer's `saved`."""

    at: At
    prepare: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """drift: find out first what was changed by hand, which may take minutes."""

    at: At
    drift: bool = False


@dataclass(frozen=True, slots=True)
class Just:
    """Nothing but where: rollback, prove-egress, prove-links, verify."""

    at: At


@dataclass(frozen=True, slots=True)
class Down:
    """release: give up, for ever, what would outlive the environment as well."""

    at: At
    release: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """caller and callee None: the whole matrix. port None: the callee's own. live: try it as well."""

    at: At
    caller: str | None = None
    callee: str | None = None
    port: int | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """since_s: only what was tried within so many seconds; None: all that is remembered."""

    at: At
    since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Logs:
    """service: a service, an instance, or None for all. since: none that is older, in Unix seconds."""

    at: At
    service: str | None = None
    lines: int = 100
    follow: bool = False
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Exec:
    """instance: an instance, or a service for its first healthy one. stdin: base64."""

    at: At
    instance: str
    argv: tuple[str, ...]
    stdin: str = ""
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Commands:
    """The newest `most` of the environment; of the whole client when no environment is said."""

    at: At
    most: int = 50


@dataclass(frozen=True, slots=True)
class Disturb:
    """A fault on purpose. name: a zone, or an instance or service to kill. for_s: how long a zone's fault lasts."""

    at: At
    kind: DrillKind
    name: str = ""
    outage: Outage = Outage.CUT
    for_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Version:
    """Who answers. code: names the source that it runs; busy: commands are in flight; foreground: `anden serve`."""

    version: str
    client: str
    pid: int
    code: str = ""
    busy: bool = False
    foreground: bool = False
