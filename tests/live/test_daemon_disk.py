"""A control plane on a full disk says so, and what ran before runs on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from anden.model.problem import Problems
from anden.web import daemon
from anden.web.files import Files


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a disk of 64 KiB without a free byte."""
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], check=True)
    try:
        with (place / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_is_named(full: Path) -> None:
    files = Files(full / "shop")
    with pytest.raises(Problems, match=r"no space is left on the disk of .*Make room"):
        daemon.start(files, "shop", ["-m", "anden.app", str(files.folder)])
