"""Servers that cost nothing: HAProxy answering by itself, as an image for a cell and as processes on the machine. A
slower server would hide what a balancer takes."""

import re
import shutil
import subprocess
from pathlib import Path

from anden.engines.local import tools
from anden.model.image import Image
from bench import world
from bench.figure import Unmeasured

PORT = 8080
PLACE = "/etc/answering.cfg"
LIBRARY = re.compile(r"=> (/\S+)")
IN_THE_BASE = ("libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so", "ld-linux")
ASK_S = 10
TEXT = """global
    maxconn 2000
    nbthread 1

defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s

frontend answering
    bind {bind}
    http-request return status 200 content-type text/plain string "{body}"
"""
BODY = "x" * 200


def config(bind: str) -> str:
    """haproxy.cfg of one server."""
    return TEXT.format(bind=bind, body=BODY)


def image(images: Path, folder: Path) -> Image:
    """An image with this machine's HAProxy and its libraries; built in `folder`, which is the caller's to remove."""
    program = tools.found("haproxy")
    if program is None:
        raise Unmeasured("haproxy is not installed")
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=ASK_S, check=True).stdout
    files = [program, *(name for name in LIBRARY.findall(listed) if not Path(name).name.startswith(IN_THE_BASE))]
    root = folder / "root"
    for name in files:
        target = root / Path(name).resolve().parent.relative_to("/") / Path(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, target)
        target.chmod(0o755)
    target = root / PLACE.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(config(f":{PORT}"))
    (folder / "Containerfile").write_text(
        "ARG BASE\nFROM ${BASE}\nCOPY root /\nUSER 10001\n"
        f'CMD ["{Path(program).resolve()}", "-db", "-f", "{PLACE}"]\n'
    )
    return world.image(images, folder)
