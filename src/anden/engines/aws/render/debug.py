"""The task definition by which a command runs in a productive environment, and by which connections are tried in any:
beside the service and not in it.

It is the service's own but for its entry point, which RunTask cannot override: with the image's, a command would
become arguments of the service's program.
"""

from collections.abc import Mapping

from anden.engines.aws.render.template import Json

START_S = 300.0
"""From being asked for to running; then it is given up. It takes 30-60 s."""
LONGEST_S = 3600
"""From the start of a debug task to its end by itself, whoever is still there."""
FAMILY_END = "-debug"
STREAM = "debug"
"""How its log streams begin, in the service's group."""
ENTRY = ("/bin/sh", "-c", f'(sleep {LONGEST_S}; kill -9 $$) >/dev/null 2>&1 & exec "$@"', "debug")
"""Runs what it is given, in its own place, and ends it at its time."""
UNUSED = ("PortMappings", "SystemControls", "DockerLabels")
"""Nothing is served."""


def container(serving: Mapping[str, Json], log: Json) -> Json:
    """The container, from that of the service's task."""
    made = {name: value for name, value in serving.items() if name not in UNUSED}
    return {**made, "EntryPoint": list(ENTRY), "Command": ["true"], "LogConfiguration": log}
