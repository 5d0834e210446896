"""One instance as it should be: all that an engine needs to start it, and nothing that it would have to choose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address

from anden.model import codec
from anden.model.ids import Digest, InstanceId, ServiceName, ZoneName
from anden.model.secret import SecretRef
from anden.model.topology import Protocol, Size


@dataclass(frozen=True, slots=True)
class Restart:
    """The supervisor's policy: restart in place after `first_s`, doubling to `limit_s`; `stable_s` up resets it."""

    first_s: float = 0.1
    limit_s: float = 30.0
    stable_s: float = 60.0


@dataclass(frozen=True)  # no slots: what is worked out once is kept
class Instance:
    """The specification of an instance in its slot. `user` is `UID`, `UID:GID` or a name in the image, '' for root."""

    id: InstanceId
    service: ServiceName
    ordinal: int
    zone: ZoneName
    address: IPv4Address
    image: Digest
    image_name: str
    argv: tuple[str, ...]
    port: int | None = None
    protocol: Protocol = Protocol.HTTP
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    """Variable, or path of a file below model.secret.MOUNT, to the version of the secret that it holds."""
    user: str = ""
    workdir: str = "/"
    size: Size = Size()
    writable: tuple[str, ...] = ()
    health_path: str | None = None
    """None: TCP connect. Meaningless without a port: such an instance is healthy while it runs."""
    timeout_s: float = 30.0
    stop_s: float = 10.0
    start_s: float = 10.0
    restart: Restart = Restart()
    generation: int = 0
    """Moved by `anden restart`, so that an instance otherwise the same is replaced."""

    @cached_property
    def revision(self) -> Digest:
        """The digest of the whole specification: a running instance with another revision is replaced."""
        return codec.digest(self)
