"""What the local engine needs from the machine, and what this machine is. Standard library only: the bootstrap
`./anden` reads it before anything is installed, `anden doctor` afterwards."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PYTHON = (3, 11)
LEAST_FREE_BYTES = 2 * 1024**3
"""For the base image, what is built on it, and some logs."""
PROBE_LIMIT_S = 10
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Searched beside PATH, which often leaves out the sbin folders for those who are not root."""


@dataclass(frozen=True, slots=True)
class Tool:
    """command: its name on PATH. package: of Debian and Ubuntu. why: in a few words.
    needed_for: `cell`, `image`, `link`, `bgp`; `test` for what only ./test needs, `bench` for what only
    `python -m bench` does."""

    command: str
    package: str
    why: str
    needed_for: str = "cell"


IPSEC_PLUGINS = "/usr/lib/ipsec/plugins"
"""Where Debian and Ubuntu have strongSwan's."""

TOOLS = (
    Tool("crun", "crun", "runs the containers"),
    Tool("nft", "nftables", "is the firewall between services"),
    Tool("haproxy", "haproxy", "is the load balancer"),
    Tool("newuidmap", "uidmap", "gives instances user ids of their own"),
    Tool("/usr/share/containers/seccomp.json", "golang-github-containers-common", "lists harmless system calls"),
    Tool("unshare", "util-linux", "makes private namespaces"),
    Tool("setpriv", "util-linux", "ends tools together with who started them"),
    Tool("mmdebstrap", "mmdebstrap", "makes the base image from packages", "image"),
    Tool("buildah", "buildah", "builds images from a Containerfile", "image"),
    Tool("skopeo", "skopeo", "imports images", "image"),
    Tool("umoci", "umoci", "unpacks images", "image"),
    Tool("charon-systemd", "charon-systemd", "raises a link's tunnels", "link"),
    Tool("swanctl", "strongswan-swanctl", "reads the other side's file of a link", "link"),
    Tool(f"{IPSEC_PLUGINS}/libstrongswan-gcm.so", "libstrongswan-standard-plugins", "encrypts as links agree", "link"),
    Tool(
        f"{IPSEC_PLUGINS}/libstrongswan-kernel-libipsec.so",
        "libcharon-extra-plugins",
        "carries a link's packets where the kernel cannot",
        "link",
    ),
    Tool("bird", "bird2", "speaks BGP over a link", "bgp"),
)

TEST_TOOLS = (
    Tool("git", "git", "lists the files of this repository", "test"),
    Tool("docker-registry", "docker-registry", "is a registry in ECR's place", "test"),
    Tool("ip", "iproute2", "shows what networks a test left behind", "test"),
)

BENCH_TOOLS = (
    Tool("wrk", "wrk", "saturates a balancer", "bench"),
    Tool("podman", "podman", "is a peer: the same containers by another hand", "bench"),
    Tool("podman-compose", "podman-compose", "is a peer of up", "bench"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One fact of the machine. `fix` is empty when it is ok, or when nothing helps."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def found(command: str) -> str | None:
    """Where a command (or a file, by its absolute path) is; None when it is not installed."""
    if command.startswith("/"):
        return command if Path(command).exists() else None
    return shutil.which(command) or shutil.which(command, path=os.pathsep.join(SYSTEM_FOLDERS))


def missing(tools: Iterable[Tool] = TOOLS) -> tuple[Tool, ...]:
    """The tools that are not installed."""
    return tuple(tool for tool in tools if found(tool.command) is None)


def installation(tools: Iterable[Tool]) -> str:
    """The command that installs them. Pure."""
    packages = " ".join(sorted({tool.package for tool in tools}))
    return f"apt-get install --no-install-recommends {packages}"


def packaged() -> bool:
    """Whether apt installs what is missing here: Debian, Ubuntu and what comes from them."""
    return Path("/etc/debian_version").exists() and found("apt-get") is not None


def cgroups(mounts: str) -> str:
    """Of the text of /proc/mounts: `v2`, `v1`, `hybrid` or `none`. Pure."""
    kinds = [line.split()[1:3] for line in mounts.splitlines() if len(line.split()) > 2]
    unified = [place for place, kind in kinds if kind == "cgroup2"]
    legacy = any(kind == "cgroup" for _, kind in kinds)
    if unified and not legacy:
        return "v2"
    if unified:
        return "hybrid"
    return "v1" if legacy else "none"


def checks(state: Path) -> tuple[Check, ...]:
    """Everything that `anden doctor` says of this machine. `state`: the folder whose disk is looked at."""
    linux = sys.platform.startswith("linux")
    system = Check(
        "system",
        linux,
        f"{platform.system()} {platform.release()}, {platform.machine()}",
        "" if linux else "Cells need Linux; everything with --on simulated works here.",
    )
    if not linux:
        return (system, _python())
    return (system, _python(), _root(), _cgroups(), _namespaces(), _overlay(), _firewall(), _disk(state), *_tools())


def _python() -> Check:
    ok = sys.version_info >= PYTHON
    wanted = ".".join(map(str, PYTHON))
    return Check("python", ok, platform.python_version(), "" if ok else f"Install Python {wanted} or newer.")


def _root() -> Check:
    ok = os.geteuid() == 0
    return Check("root", ok, "yes" if ok else "no", "" if ok else "Cells need root: run anden with sudo.")


def _cgroups() -> Check:
    mode = cgroups(Path("/proc/mounts").read_text())
    tried = "" if mode == "hybrid" else ", not tried by anden's authors"
    return Check("cgroups", mode != "none", mode + tried, "" if mode != "none" else "Mount /sys/fs/cgroup.")


def _namespaces() -> Check:
    ok, said = _try(["unshare", "--net", "--mount", "--pid", "--user", "--fork", "true"])
    fix = "Allow user namespaces: sysctl -w user.max_user_namespaces=15000."
    return Check("namespaces", ok, "net, mount, pid, user" if ok else said, "" if ok else fix)


def _overlay() -> Check:
    options = "lowerdir=l,upperdir=u,workdir=w"
    script = f'mount -t tmpfs none "$1" && cd "$1" && mkdir l u w m && mount -t overlay o -o {options} m'
    return _as_root("overlayfs", ["unshare", "--mount", "sh", "-c", script, "sh"], "Load it: modprobe overlay.")


def _firewall() -> Check:
    if found("nft") is None:
        return Check("nftables", False, "nft is not installed", "See the tools below.")
    rules = "add table ip anden; add chain ip anden c { type filter hook forward priority 0; }; list ruleset"
    return _as_root("nftables", ["unshare", "--net", "nft", rules], "Load it: modprobe nf_tables.")


def _as_root(name: str, argv: list[str], fix: str) -> Check:
    if os.geteuid() != 0:
        return Check(name, True, "not tried: needs root")
    folder = tempfile.mkdtemp(prefix="anden-doctor-")
    try:
        ok, said = _try([*argv, folder] if argv[-1] == "sh" else argv)
    finally:
        Path(folder).rmdir()
    return Check(name, ok, "works" if ok else said, "" if ok else fix)


def _disk(state: Path) -> Check:
    folder = next(parent for parent in (state.absolute(), *state.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    ok = free >= LEAST_FREE_BYTES
    fix = "" if ok else f"Make {LEAST_FREE_BYTES // 1024**3} GiB free, or set ANDEN_STATE to a folder on another disk."
    return Check("disk", ok, f"{free / 1024**3:.1f} GiB free at {folder}", fix)


def _tools() -> tuple[Check, ...]:
    return tuple(
        Check(tool.command, (at := found(tool.command)) is not None, at or f"missing: {tool.why}",
              "" if at else f"Install the package {tool.package}.")
        for tool in TOOLS
    )  # fmt: skip


def _try(argv: list[str]) -> tuple[bool, str]:
    """Whether a command succeeds, and the last line that it said."""
    try:
        done = subprocess.run(
            [found(argv[0]) or argv[0], *argv[1:]], capture_output=True, text=True, timeout=PROBE_LIMIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return False, str(error)
    lines = (done.stderr or done.stdout).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else f"exit code {done.returncode}"
