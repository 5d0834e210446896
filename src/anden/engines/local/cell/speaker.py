"""Starts a BIRD as nobody, without capabilities: it reads what the other side of a link sends.

Its folder is nobody's own, for its control socket; whoever took it over could only say falsely that what is declared is
announced. Ports below 1024 are anybody's in the networks where it stands.
"""

import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

from anden.engines.local.cell.link_files import PRIVATE, write
from anden.engines.local.render.bird import SOCKET

COMMAND = "/usr/sbin/bird"
_NOBODY = (
    "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
    "--no-new-privs",
)  # fmt: skip


def prepare(folder: Path, text: str, *more: str) -> Sequence[str]:
    """Have the folder and its configuration be there, and nothing of an earlier one; the command. more: words for
    setpriv. Raises OSError; FileNotFoundError: BIRD is not installed."""
    if not Path(COMMAND).exists():
        raise FileNotFoundError(COMMAND)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=PRIVATE, parents=True)
    settings = folder / "bird.conf"
    write(settings, text, 0o644)
    shutil.chown(folder, pwd.getpwnam("nobody").pw_uid)
    return *_NOBODY, *more, COMMAND, "-f", "-c", str(settings), "-s", str(folder / SOCKET)
