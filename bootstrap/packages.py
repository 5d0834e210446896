"""The distribution's packages that cells need: listed with why, asked for once, installed without starting services."""

# ruff: noqa: PTH101, PTH108, PTH110, PTH112, PTH118, PTH123 - pathlib alone would take longer to import than all the rest of an everyday start

import contextlib
import importlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any

from bootstrap import progress, stamp
from bootstrap.stamp import Place

POLICY = "/usr/sbin/policy-rc.d"
"""Debian asks it whether a service may start: 101 is no (the distribution's document on invoke-rc.d)."""
POLICY_TEXT = "#!/bin/sh\n# Written by anden while it installs packages; it may be removed.\nexit 101\n"
APT_LOCK_S = 120
"""How long apt-get waits for another apt-get."""
ASSENT = {"", "y", "yes"}
WITHOUT_CELL = "init, check, plan, reach, schema, and everything with --on simulated"
DEBIAN = "/etc/debian_version"
SYSTEMD = "/run/systemd/system"
QUIET_SERVICES = {"haproxy": "haproxy", "charon-systemd": "strongswan", "bird2": "bird"}
"""Packages of ours that would start a service at the next boot, and its name; nobody wanted it when it came with us."""


def lacking(at: Place, *, cell: bool, tests: bool = False) -> dict[str, str]:
    """Packages to install for a cell and for tests, each with why. Raises progress.Failed where there are no cells."""
    if cell and not sys.platform.startswith("linux"):
        progress.say(f"cells need Linux. Here work: {WITHOUT_CELL}.")
        raise progress.Failed
    named: dict[str, str] = {}
    for tool in _missing(at, cell=cell, tests=tests):
        named[tool.package] = f"{named[tool.package]}; {tool.why}" if tool.package in named else tool.why
    return named


def for_environment() -> dict[str, str]:
    """The package without which Debian's Python makes no virtual environment, when it is not there."""
    if importlib.util.find_spec("ensurepip") is not None:
        return {}
    return {f"python{sys.version_info.major}.{sys.version_info.minor}-venv": "makes the virtual environment"}


def verify(at: Place, *, cell: bool, tests: bool = False) -> None:
    """Raises progress.Failed when something is missing still."""
    still = _missing(at, cell=cell, tests=tests)
    if still:
        progress.say(f"still missing after the installation: {', '.join(tool.command for tool in still)}")
        raise progress.Failed


def remember(at: Place) -> None:
    """That nothing was missing: until a package comes or goes, the tools are not looked for again."""
    with contextlib.suppress(OSError):  # no dpkg, or not ours to write: then they are looked for every time
        stamp.write(at.packages, stamp.packages_now(at))


def _missing(at: Place, *, cell: bool, tests: bool) -> Sequence[Any]:
    tools = _tools(at)
    found: Sequence[Any] = tools.missing([*(tools.TOOLS if cell else ()), *(tools.TEST_TOOLS if tests else ())])
    return found


def _tools(at: Place) -> ModuleType:
    """anden.engines.local.tools, which imports nothing that is not in the standard library."""
    path = os.path.join(at.root, "src", "anden", "engines", "local", "tools.py")
    spec = importlib.util.spec_from_file_location("anden_tools", path)
    if spec is None or spec.loader is None:
        raise progress.Failed
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def listing(named: dict[str, str]) -> str:
    """Package and why, in two columns. Pure."""
    width = max(len(package) for package in named)
    return "".join(f"    {package:<{width}}  {why}\n" for package, why in sorted(named.items()))


def agree(named: dict[str, str], argv: Sequence[str]) -> None:
    """Say what would be installed and why, and ask. Raises progress.Failed when it may not or cannot be."""
    progress.say(f"this machine lacks {_count(named)}:")
    sys.stderr.write(listing(named))
    if not os.path.exists(DEBIAN) or shutil.which("apt-get") is None:
        progress.say("this is neither Debian nor Ubuntu: install them by hand, then run the command again.")
        raise progress.Failed
    if os.geteuid() != 0:
        progress.say(f"installing them needs root. Run: sudo {shlex.join([sys.argv[0], *argv])}")
        if not for_environment():
            progress.say(f"without root and these packages work: {WITHOUT_CELL}")
        raise progress.Failed
    if not _allowed(argv):
        progress.say(
            f"nothing was installed. To do it by hand: apt-get install --no-install-recommends {_words(named)}"
        )
        raise progress.Failed


def install(named: dict[str, str]) -> None:
    """Install packages; no service is started. Raises progress.Failed."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "LC_ALL": "C.UTF-8"}
    wait = ["-o", f"DPkg::Lock::Timeout={APT_LOCK_S}", "-o", "Dpkg::Use-Pty=0"]
    progress.run(["apt-get", *wait, "update", "-qq"], "reading the distribution's package lists", env)
    with no_services():
        apt = ["apt-get", *wait, "install", "-y", "-qq", "--no-install-recommends"]
        progress.run([*apt, *sorted(named)], f"installing {_count(named)}, starting no service", env)
    for package in QUIET_SERVICES.keys() & named.keys():
        if os.path.isdir(SYSTEMD):
            disable = ["systemctl", "disable", QUIET_SERVICES[package]]
            subprocess.run(disable, capture_output=True, check=False, timeout=APT_LOCK_S)
    importlib.invalidate_caches()


def _count(named: dict[str, str]) -> str:
    return "1 package" if len(named) == 1 else f"{len(named)} packages"


def _words(named: dict[str, str]) -> str:
    return " ".join(sorted(named))


def _allowed(argv: Sequence[str]) -> bool:
    """Ask once; without a terminal the caller's root is consent enough, unless `--no-input` says otherwise."""
    if {"--yes", "-y"} & set(argv) or os.environ.get("ANDEN_YES") == "1":
        return True
    if "--no-input" in argv:
        progress.say("--no-input: not asking, not installing; --yes installs.")
        return False
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        progress.say("no terminal to ask on: installing them (--no-input would not)")
        return True
    sys.stderr.write("anden: install them now with apt-get? [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ASSENT


@contextlib.contextmanager
def no_services(path: str = POLICY) -> Iterator[None]:
    """No package starts a service meanwhile. An existing policy is left as it is; ours goes away whatever happens."""
    ours = _write_policy(path)

    def end(_: int, __: FrameType | None) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if ours:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _write_policy(path: str) -> bool:
    """Whether the policy at `path` is ours to remove: just written, or left by an anden that was killed."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(POLICY_TEXT)
        os.chmod(path, 0o755)  # noqa: S103 - invoke-rc.d executes it
    except FileExistsError:
        if stamp.read(path) == POLICY_TEXT:
            return True
        progress.say(f"{path} exists and decides which services start; it is left as it is")
        return False
    return True
