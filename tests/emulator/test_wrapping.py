"""The twin's secrets under a key of KMS: its file opens nothing without it."""

from contextlib import closing
from pathlib import Path

import pytest
from tests import leaks
from tests.emulator.emulator import REGION, Emulator

from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.aws.wrapping import Kms
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problems
from anden.model.secret import SecretValue
from anden.store import open_store
from anden.store.sealing_key import FILE, HEADING, HEADING_KMS, InFile
from anden.web.api.table import Desk
from anden.web.caller import InProcess

KEY = EnvironmentKey("bank", "dev", EngineName.LOCAL)


def test_the_key_is_sealed_by_kms_and_comes_back_to_its_file(aws: Emulator, tmp_path: Path) -> None:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    store = open_store(tmp_path / "anden.db", wrapping=Kms())
    made = store.secrets.put(KEY, "a", SecretValue("planted"), "ana", 1.0)
    plain = (tmp_path / FILE).read_text().split()[-1]
    store.secrets.seal_by(arn)
    sealed = (tmp_path / FILE).read_text()
    assert sealed.startswith(f"{HEADING_KMS} ")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert leaks.in_files(plain, tmp_path) == []
    assert store.secrets.value(KEY, "a", made.id).reveal() == "planted"
    store.close()

    again = open_store(tmp_path / "anden.db", wrapping=Kms())  # as after a restart
    assert again.secrets.value(KEY, "a", made.id).reveal() == "planted"
    later = again.secrets.put(KEY, "a", SecretValue("another"), "ana", 2.0)
    again.secrets.seal_by(None)
    assert (tmp_path / FILE).read_text().split() == [HEADING, sealed.split()[1], plain]
    assert again.secrets.value(KEY, "a", later.id).reveal() == "another"
    again.close()


def test_it_is_chosen_by_a_command_that_is_on_record(aws: Emulator, tmp_path: Path) -> None:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    store = open_store(tmp_path / "anden.db", wrapping=Kms())
    clock = VirtualClock(1_700_000_000.0)
    engine = SimulatedEngine(clock, tmp_path / "snapshot.json", secrets=store.secrets)
    control = Control(engine, SimulatedImages(), store, clock, InlineRunner(), secrets=store.secrets)
    api = InProcess(Desk("bank", engine.name, control), "ana")
    at = {"client": "bank", "environment": "dev", "engine": "simulated"}
    for by, heading in ((arn, HEADING_KMS), (None, HEADING)):
        ended = list(api.stream("POST", "/v1/secrets/seal", {"at": at, "by": by}))[-1]
        assert ended["outcome"] == "done"
        assert (tmp_path / FILE).read_text().startswith(f"{heading} ")
    assert [each.what for each in store.commands(None)] == ["secret seal file", f"secret seal {arn}"]
    control.close()
    store.close()


def test_without_the_key_or_with_another_context_nothing_opens_and_nothing_is_lost(
    aws: Emulator, tmp_path: Path
) -> None:
    keys = aws.client("kms")
    arn = keys.create_key()["KeyMetadata"]["Arn"]
    store = open_store(tmp_path / "anden.db", wrapping=Kms())
    made = store.secrets.put(KEY, "a", SecretValue("planted"), "ana", 1.0)
    with pytest.raises(Problems, match="not the ARN of a key"):
        store.secrets.seal_by("1234abcd")
    with pytest.raises(Problems, match="AWS refused"):
        store.secrets.seal_by(f"arn:aws:kms:{REGION}:000000000000:key/00000000-0000-0000-0000-000000000000")
    assert (tmp_path / FILE).read_text().startswith(f"{HEADING} ")
    store.secrets.seal_by(arn)
    store.close()
    with pytest.raises(Problems, match="no key service can be asked"):
        InFile(tmp_path / FILE).get()
    whole = (tmp_path / FILE).read_text()
    heading, named, by, text = whole.split()
    (tmp_path / FILE).write_text(f"{heading} {named}0 {by} {text}\n")
    with pytest.raises(Problems):
        InFile(tmp_path / FILE, Kms()).get()
    (tmp_path / FILE).write_text(whole)
    keys.disable_key(KeyId=arn)
    with pytest.raises(Problems), closing(open_store(tmp_path / "anden.db", wrapping=Kms())) as closed:
        closed.secrets.value(KEY, "a", made.id)
    keys.enable_key(KeyId=arn)
    with closing(open_store(tmp_path / "anden.db", wrapping=Kms())) as opened:
        assert opened.secrets.value(KEY, "a", made.id).reveal() == "planted"
