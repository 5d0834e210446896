"""Drift-aware change sets, which the emulator takes and treats as any other. Part of the emulator's process.

What was changed by hand is written into what it remembers of the stack when the change set is made (AWS keeps it beside
that): so the comparison with the template shows it, and executing the change set puts it back. Only types whose drift
the emulator can read.
"""

import json
from collections.abc import Callable
from typing import Any

Parameters = dict[str, Any]
Answer = Any


def aware(create: Callable[[Parameters], Answer], found: Callable[..., Any], said: Callable[..., str]) -> Any:
    """CreateChangeSet that knows DeploymentMode. create: the emulator's. found: its stack of a name. said: its way to
    read a parameter."""
    from ministack.services.cloudformation import drift

    def made(parameters: Parameters) -> Answer:
        stack = found(said(parameters, "StackName"))
        if said(parameters, "DeploymentMode") == "REVERT_DRIFT" and stack and stack.get("_resources"):
            for name, record in list(stack["_resources"].items()):
                if drift.supports_drift(record.get("ResourceType", "")):
                    _as_it_is(stack, name, record, drift.detect_resource_drift(stack, name, record, ""))
        return create(parameters)

    return made


def _as_it_is(stack: dict[str, Any], name: str, record: dict[str, Any], seen: dict[str, Any]) -> None:
    resources = stack["_template"]["Resources"]
    if seen["StackResourceDriftStatus"] == "DELETED":
        del stack["_resources"][name]
        stack["_template"] = {**stack["_template"], "Resources": {k: v for k, v in resources.items() if k != name}}
    elif seen["StackResourceDriftStatus"] == "MODIFIED":
        real = json.loads(seen["ActualProperties"])
        changed = {key: real.get(key) for key, value in json.loads(seen["ExpectedProperties"]).items()
                   if real.get(key) != value}  # fmt: skip
        record["Properties"] = {**record["Properties"], **changed}
        its = {**resources[name], "Properties": {**resources[name].get("Properties", {}), **changed}}
        stack["_template"] = {**stack["_template"], "Resources": {**resources, name: its}}
