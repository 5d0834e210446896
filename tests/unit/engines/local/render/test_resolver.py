"""dnsmasq's files as text, and dnsmasq's own opinion of them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.engines.local.render.sample import BANK, CASES, golden

from anden.engines.local.render.resolver import config, hosts

DNSMASQ = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    golden(f"{case}.dnsmasq.conf", config(CASES[case], "/run/anden/resolver/hosts"))
    golden(f"{case}.hosts", hosts(CASES[case]))


def test_a_service_without_a_port_has_no_name() -> None:
    assert "worker" not in hosts(BANK)


@pytest.mark.skipif(DNSMASQ is None, reason="dnsmasq is not installed")
def test_dnsmasq_understands_it(tmp_path: Path) -> None:
    file = tmp_path / "dnsmasq.conf"
    file.write_text(config(BANK, str(tmp_path / "hosts")))
    done = subprocess.run([str(DNSMASQ), "--test", f"--conf-file={file}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
