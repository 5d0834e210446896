"""A process of ours looks for garbage in cycles seldom: the command line as it is started, asked from within."""

import subprocess
import sys

from anden.cycles import SELDOM

ASK = "import gc; from anden.cli.main import main; main(['version']); print(gc.get_threshold())"


def test_the_command_line_looks_for_cycles_seldom() -> None:
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1].startswith(f"({SELDOM}, ")
