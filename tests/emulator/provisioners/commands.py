"""The emulator's ECS Exec as we need it: refusals that it lacks, and sessions that can be ended and looked at.

What a session is to run stands in its stream's address, as base64: nobody speaks the real channel here, so whoever
stands for AWS's session-manager-plugin (tests.emulator.speaking) reads it there and runs it.

It runs no containers, so it knows no ends of theirs. A test says them by the reason with which it stops a task:
`exited with 3`, or `never ran: REASON`. A task whose image is called `never-starts` stays in PROVISIONING.
"""

import base64
import json
import re
from typing import Any

SERVICE = "AWS::ECS::Service"
DEAF = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command "
    "agent isn't running. Wait and try again or run a new task with execute command enabled and try again."
)


def install(handlers: dict[str, dict[str, Any]], ecs: Any, ssm: Any) -> None:
    """Put ours in front of the modules' own; and let services of stacks have it on, which their provisioner forgets."""
    handlers[SERVICE] = {**handlers[SERVICE], "create": _remembering(handlers[SERVICE]["create"], ecs)}
    sessions: dict[str, dict[str, Any]] = {}
    ecs._ACTION_MAP["StopTask"] = _telling(ecs._ACTION_MAP["StopTask"], ecs)
    ecs._ACTION_MAP["RunTask"] = _never_starting(ecs._ACTION_MAP["RunTask"], ecs)
    theirs, ask = ecs._ACTION_MAP["ExecuteCommand"], ssm.handle_request

    def execute(data: dict[str, Any]) -> Any:
        if not data.get("interactive"):
            return ecs.error_response_json("InvalidParameterException", "Interactive is the only mode supported", 400)
        name = ecs._resolve_cluster_name(data.get("cluster", "default"))
        task = ecs._resolve_task(data.get("task", ""), name) if name else None
        if task is not None and not task.get("enableExecuteCommand"):
            return ecs.error_response_json("TargetNotConnectedException", DEAF, 400)
        status, headers, body = theirs(data)
        if status != 200:
            return status, headers, body
        said = json.loads(body)
        opened, command = said["session"], base64.urlsafe_b64encode(data["command"].encode()).decode()
        opened["sessionId"] = f"ecs-execute-command-{opened['sessionId']}"
        opened["streamUrl"] += f"?command={command}"
        id_ = opened["sessionId"]
        sessions[id_] = {"SessionId": id_, "Target": said["taskArn"], "Status": "Connected"}
        return ecs.json_response(said)

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        asked = json.loads(body or b"{}")
        if action == "TerminateSession":
            if asked["SessionId"] not in sessions:
                return ssm.error_response_json("DoesNotExistException", "no such session", 400)
            sessions[asked["SessionId"]]["Status"] = "Terminated"
            return ssm.json_response({"SessionId": asked["SessionId"]})
        if action == "DescribeSessions":
            wanted = "Connected" if asked["State"] == "Active" else "Terminated"
            return ssm.json_response({"Sessions": [each for each in sessions.values() if each["Status"] == wanted]})
        return await ask(method, path, headers, body, query)

    forget = ssm.reset

    def reset() -> None:
        sessions.clear()
        forget()

    ecs._ACTION_MAP["ExecuteCommand"] = execute
    ssm.handle_request, ssm.reset = handle, reset


def _remembering(create: Any, ecs: Any) -> Any:
    """Its tasks come when it is on, not before."""

    def made(logical: str, properties: dict[str, Any], *rest: Any) -> Any:
        if not properties.get("EnableExecuteCommand"):
            return create(logical, properties, *rest)
        arn, attributes = create(logical, {**properties, "DesiredCount": 0}, *rest)
        asked = {"cluster": properties.get("Cluster", "default"), "service": attributes["Name"]}
        ecs._update_service({**asked, "enableExecuteCommand": True, "desiredCount": properties.get("DesiredCount", 1)})
        return arn, attributes

    return made


def _telling(stop: Any, ecs: Any) -> Any:
    def stopped(data: dict[str, Any]) -> Any:
        answer = stop(data)
        task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
        said = re.fullmatch(r"exited with (\d+)|never ran: (.*)", data.get("reason", ""))
        if task is not None and said is not None:
            task["stoppedReason"] = said[2] or "Essential container in task exited"
            for container in task["containers"]:
                container["exitCode"] = int(said[1]) if said[1] else None
        return answer

    return stopped


def _never_starting(run: Any, ecs: Any) -> Any:
    def ran(data: dict[str, Any]) -> Any:
        answer = run(data)
        for each in json.loads(answer[2]).get("tasks", ()):
            task = ecs._tasks[each["taskArn"]]
            if any("/never-starts:" in container["image"] for container in task["containers"]):
                task["lastStatus"] = "PROVISIONING"
        return answer

    return ran
