"""What a machine lacks to be the other side of a link."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from anden.engines.local import tools
from anden.model.problem import Problem

SERVICES = {"charon-systemd": "strongswan", "bird2": "bird"}
"""Of packages, which Debian starts."""
TUN = Path("/dev/net/tun")


def lacking(*, bgp: bool = False) -> Iterator[Problem]:
    """Everything; nothing, where it can be joined. bgp: the link speaks it."""
    if not sys.platform.startswith("linux"):
        why = "it is made of Linux's network namespaces"
        yield Problem("this machine", f"{sys.platform} cannot join", why, "Join from a Linux machine.")
        return
    if os.geteuid() != 0:
        why = f"it makes networks of its own, and this is uid {os.geteuid()}"
        yield Problem("anden join", "needs root", why, "Run it with sudo; `--check` needs none.")
    absent = [tool for tool in tools.missing() if tool.needed_for in (("link", "bgp") if bgp else ("link",))]
    for tool in absent:
        fix = f"Run: {tools.installation(absent)}. {_alone(absent)}".rstrip()
        yield Problem(tool.command, "is not installed", f"it {tool.why}", fix)
    if not TUN.exists():
        why = "where the kernel has no ESP, strongSwan's own data plane needs it"
        yield Problem(str(TUN), "is missing", why, "Load it: modprobe tun.")


def _alone(absent: Sequence[tools.Tool]) -> str:
    """What comes along with a package and nobody wanted; a service that was there before is somebody's."""
    names = sorted({SERVICES[tool.package] for tool in absent if tool.package in SERVICES})
    return f"It must not run as a service: `systemctl disable --now {' '.join(names)}`." if names else ""
