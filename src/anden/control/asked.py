"""What every request says of where it comes from and what it is about."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """client: whose control plane is asked. environment None: the default one (the only one, else the first that is
    not production). folder: absolute, where the manifest lies. manifest: its text; None when there is none to compare
    with. file: its name, for marks."""

    client: str
    environment: str | None
    folder: Path
    manifest: str | None = None
    file: str = "anden.yaml"
