"""Starts the emulator with our provisioners in it. Run by the emulator's own Python: `python launcher.py SCHEMAS`.

SCHEMAS: the folder of AWS's public resource schemas as cfn-lint carries them. Port and address come from the
emulator's own environment variables (GATEWAY_PORT, BIND_HOST).
"""

import ctypes
import importlib
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""prctl(2): a signal when the parent dies, so that no emulator outlives a test run that was killed."""


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    sys.path.insert(0, str(Path(__file__).parent))
    ours = importlib.import_module("provisioners")
    theirs = importlib.import_module("ministack.services.cloudformation.provisioners")
    schema = importlib.import_module("provisioners.schema")
    ours.install(theirs._RESOURCE_HANDLERS, schema.Schemas(Path(sys.argv[1])))
    cloudformation = importlib.import_module("ministack.services.cloudformation.handlers")
    parameter = importlib.import_module("ministack.services.cloudformation.changesets")._p
    calls = cloudformation._ACTION_HANDLERS
    drift = importlib.import_module("provisioners.drift")
    calls["CreateChangeSet"] = drift.aware(calls["CreateChangeSet"], cloudformation._resolve_stack, parameter)
    importlib.import_module("provisioners.registry").install(importlib.import_module("ministack.services.ecr"))
    importlib.import_module("provisioners.nat_addresses").install()
    importlib.import_module("provisioners.tunnels").install(importlib.import_module("ministack.services.ec2"))
    importlib.import_module("provisioners.task_addresses").install(importlib.import_module("ministack.services.ecs"))
    importlib.import_module("provisioners.secret_versions").install(
        importlib.import_module("ministack.services.secretsmanager")
    )
    ecs, ssm = (importlib.import_module(f"ministack.services.{name}") for name in ("ecs", "ssm"))
    importlib.import_module("provisioners.commands").install(theirs._RESOURCE_HANDLERS, ecs, ssm)
    importlib.import_module("provisioners.once").install(ecs)
    sys.argv = sys.argv[:1]
    importlib.import_module("ministack.app").main()


if __name__ == "__main__":
    main()
