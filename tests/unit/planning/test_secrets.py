"""The wording of what is missing: tests/golden/missing/secrets.yaml with no secret set, on the twin and on AWS."""

import os
from pathlib import Path

from anden import manifest
from anden.control.sealed import options
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.secret import Secret, SecretVersion
from anden.planning.secrets import chosen, missing

FOLDER = Path(__file__).parents[2] / "golden" / "missing"
READ = manifest.read((FOLDER / "secrets.yaml").read_text(), "anden.yaml", client="bank")
TOPOLOGY, MARKS = READ.topologies["dev"], READ.marks["dev"]


def test_wording() -> None:
    said = ""
    for engine in (EngineName.LOCAL, EngineName.AWS):
        found = missing(TOPOLOGY, {}, MARKS, options(EnvironmentKey("bank", "dev", engine)))
        said += "".join(f"{problem}\n" for problem in found)
        assert len(found) == len(TOPOLOGY.secret_users())
        assert all((each.where, each.what, each.why, each.fix) for each in found)
    kept = FOLDER / "secrets.txt"
    if os.environ.get("ANDEN_GOLDEN") == "write":
        kept.write_text(said)
    assert said == kept.read_text(), "ANDEN_GOLDEN=write writes it anew; review the difference like code"


def test_what_is_there_is_not_missing_and_what_ran_is_kept_while_it_is_there() -> None:
    versions = (SecretVersion("v2-b", 2.0), SecretVersion("v1-a", 1.0))
    held = {"shared": Secret("shared", versions)}
    assert [each.what for each in missing(TOPOLOGY, held, MARKS)] == [
        "there is no secret core-token", "there is no secret vpn-1", "there is no secret vpn-2"
    ]  # fmt: skip
    assert chosen(TOPOLOGY, held) == {"shared": "v2-b"}
    assert chosen(TOPOLOGY, held, {"shared": "v1-a"}) == {"shared": "v1-a"}
    assert chosen(TOPOLOGY, held, {"shared": "v0-gone"}) == {"shared": "v2-b"}
