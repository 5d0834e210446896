"""What every request says of where it comes from and what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """client: whose control plane is asked. environment None: the default one (the only one, else the first that is
    not production). folder: absolute, where the manifest lies. manifest: its text; None when there is none to compare
    with. file: its name, for marks. overrides: files of overrides beside it, name to text. keys: the same of
    issuers' keys, as the manifest names them."""

    client: str
    environment: str | None
    folder: Path
    manifest: str | None = None
    file: str = "anden.yaml"
    overrides: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
