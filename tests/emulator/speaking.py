"""A program that stands for AWS's session-manager-plugin, which no package registry has. It is not that plugin.

It keeps to what is known of it: the session comes by the environment, its own words stand around the command's output,
a terminal makes `\\r\\n` of line ends, it ends when its stdin does, and no exit code comes out of it. What it runs, it
runs on this machine, by the words that the emulator's session has (tests/emulator/provisioners/commands.py).
"""

import json
import sys
from pathlib import Path
from typing import Any

NAME = "session-manager-plugin"
VERSION = "1.2.650.0"
TEXT = r"""#!PYTHON
import base64, json, os, pty, select, shlex, sys, urllib.parse
VERSION, FAULT = "VERSION_", "FAULT_"
if sys.argv[1:] == ["--version"]:
    print(VERSION)
    sys.exit()
_, word, region, operation, profile, request, endpoint = sys.argv
response = os.environ.pop(word)
with open(__file__ + ".seen", "w") as seen:
    json.dump({"argv": sys.argv[1:], "response": response, "pid": os.getpid()}, seen)
session = {name.lower(): value for name, value in json.loads(response).items()}
print("\nStarting session with SessionId: " + session["sessionid"], flush=True)
if FAULT == "no shell":
    print("\nSessionId: x :\n----------ERROR-------\nUnable to start command: Failed to start pty: fork/exec /bin/sh: "
          "no such file or directory", flush=True)
    sys.exit()
query = urllib.parse.parse_qs(urllib.parse.urlsplit(session["streamurl"]).query)
words = shlex.split(base64.urlsafe_b64decode(query["command"][0]).decode())
child, terminal = pty.fork()
if child == 0:
    os.execv(words[0], words)
while FAULT != "mute" or select.select([0], [], []):
    ready, _, _ = select.select([0, terminal], [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        os.write(1, data)
        if FAULT == "breaks" and b"half" in data:
            sys.exit()
    if 0 in ready:
        typed = os.read(0, 1024)
        if not typed:
            sys.exit("Cannot perform start session: EOF")
        os.write(terminal, typed)
print("\n\nExiting session with sessionId: " + session["sessionid"] + ".\n", flush=True)
"""


def write(folder: Path, version: str = VERSION, fault: str = "") -> Path:
    """Put it there. fault: `no shell` in the container, `mute`: nothing comes, `breaks` as soon as it reads `half`."""
    path = folder / NAME
    path.write_text(TEXT.replace("PYTHON", sys.executable).replace("VERSION_", version).replace("FAULT_", fault))
    path.chmod(0o755)
    return path


def seen(path: Path) -> Any:
    """Its arguments, what it was handed over and its process id, of its last run."""
    return json.loads(path.with_name(path.name + ".seen").read_text())
