"""The daemon is killed and its records are damaged: the next command says so, and what runs answers throughout."""

import contextlib

import pytest
from tests.live import kills
from tests.live.load import Load

from anden.model.command import RESTORED
from anden.model.problem import Problems

pytestmark = pytest.mark.live


def test_damaged_records_are_restored_by_the_next_command_and_nobody_notices() -> None:
    with kills.world(kills.SEED) as made:
        host, _, port = made.gateway.partition(":")
        records = made.files.store
        before = made.wanted
        with Load(host, int(port), "/", rate=20) as load:
            records.write_bytes(records.read_bytes()[:5000])
            records.with_name("anden.db-wal").write_bytes(b"")  # after a kill it may hold everything by itself
            with contextlib.closing(made.api()) as api:
                at = {"at": made.at(made.images[0])}
                report = api.request("POST", "/v1/status", at)
                said = api.request("POST", "/v1/commands", at)[0]
                verified = api.request("POST", "/v1/verify", at)
                made.kill(api.request("GET", "/v1/version")["pid"])
        (finding,) = [each for each in report["findings"] if each["subject"] == "the records"]
        assert "nothing that was acknowledged is missing" in finding["text"]
        assert (said["who"], said["what"], said["detail"]) == ("anden", RESTORED, finding["text"])
        assert verified["fault"] == ""
        assert len(verified["gaps"]) == 1
        assert made.read().wanted == before
        assert list(records.parent.glob("anden.db.damaged-*"))
        assert "restored from the copy" in made.files.log.read_text()
        assert load.sent > 10
        assert not load.failures, load.verdict()


def test_damaged_with_its_copy_it_stops_and_what_runs_answers() -> None:
    with kills.world(kills.SEED) as made:
        host, _, port = made.gateway.partition(":")
        records = made.files.store
        copy = records.with_name("anden.db.copy")
        wal = records.with_name("anden.db-wal")
        whole = {file: file.read_bytes() for file in (records, copy, wal)}
        with Load(host, int(port), "/", rate=20) as load:
            records.write_bytes(b"x" * 9000)
            copy.write_bytes(b"y" * 9000)
            wal.write_bytes(b"")
            with pytest.raises(Problems) as found:
                made.api()
        said = str(found.value.problems[0])
        assert str(records) in said
        assert str(copy) in said
        assert "Put a backup in the place" in said
        assert not load.failures, load.verdict()
        for file, content in whole.items():
            file.write_bytes(content)
