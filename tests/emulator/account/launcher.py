"""Starts the emulator as `tests/emulator/launcher.py` does, and teaches it what IAM knows and it does not.

    the boundary that a template gives a role              (its provisioner forgets it)
    aws:PrincipalArn is the role's ARN, not the session's  (IAM user guide, "Global condition context keys")
    s3:if-match, s3:if-none-match                          (S3 user guide, "Enforce conditional writes")
    iam:PermissionsBoundary                                (Service authorization reference, IAM)
    ecs:cluster, and that RunTask is of a task definition  (Service authorization reference, ECS)
    tags of ECS's resources and of log groups              (aws:ResourceTag)

Run by the emulator's own Python: `python launcher.py SCHEMAS`.
"""

import ctypes
import importlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
"""prctl(2): a signal when the parent dies, so that no emulator outlives a test run that was killed."""
MORE = {
    "AWS::AccessAnalyzer::Analyzer": "arn:aws:access-analyzer:::analyzer/",
    "AWS::Config::ConfigurationAggregator": "",
}
"""Types that are only kept, beside those of tests/emulator/provisioners."""

Handlers = dict[str, dict[str, Any]]


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    handlers: Handlers = importlib.import_module("ministack.services.cloudformation.provisioners")._RESOURCE_HANDLERS
    schemas = importlib.import_module("provisioners.schema").Schemas(Path(sys.argv[1]))
    recorded = importlib.import_module("provisioners.recorded")
    for kind, prefix in MORE.items():
        handlers.setdefault(kind, recorded.keeping(kind, prefix, schemas))
    importlib.import_module("provisioners").install(handlers, schemas)
    remember_boundaries(handlers)
    know_keys()
    know_tags()
    sys.argv = sys.argv[:1]
    importlib.import_module("ministack.app").main()


def remember_boundaries(handlers: Handlers) -> None:
    iam = importlib.import_module("ministack.services.iam")
    its = handlers["AWS::IAM::Role"]
    create: Callable[..., tuple[str, dict[str, Any]]] = its["create"]

    def made(logical: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical, properties, stack)
        if boundary := properties.get("PermissionsBoundary"):
            iam._roles[name]["PermissionsBoundary"] = boundary
        return name, attributes

    handlers["AWS::IAM::Role"] = {**its, "create": made}


def know_keys() -> None:
    evaluator: Any = importlib.import_module("ministack.core.iam_evaluator")
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    iam = importlib.import_module("ministack.services.iam")
    ecs: Any = importlib.import_module("ministack.services.ecs")
    scope: Any = importlib.import_module("ministack.core.responses")
    resolve, of_s3, of_tags = evaluator._resolve_condition_key, actions.s3_service_context, actions.request_tag_context

    def resolved(key: str, context: Any) -> Any:
        if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
            account, rest = context.principal_arn.split(":")[4:6]
            return f"arn:aws:iam::{account}:role/{rest.split('/')[1]}"
        return resolve(key, context)

    def in_s3(action: str, query: Any, path: str = "", headers: Any = None) -> dict[str, Any]:
        known: dict[str, Any] = of_s3(action, query, path, headers)
        if action == "s3:PutObject":
            known |= {
                f"s3:{name}": headers[name] for name in ("if-match", "if-none-match") if (headers or {}).get(name)
            }
        return known

    def in_request(service: str, action: str, body: bytes, given: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = of_tags(service, action, body, given)
        if service == "ecs" and body[:1] == b"{" and (cluster := json.loads(body).get("cluster")):
            name = cluster.rpartition("/")[2]
            where = f"{scope.get_region()}:{scope.get_account_id()}"
            known["ecs:cluster"] = f"arn:aws:ecs:{where}:cluster/{name}"
        if service == "iam":
            boundary = actions._query_param(given, "PermissionsBoundary")
            if not boundary:
                boundary = (iam._roles.get(actions._query_param(given, "RoleName")) or {}).get("PermissionsBoundary")
            if boundary:
                known["iam:PermissionsBoundary"] = boundary
        return known

    of_call = actions.extract_resource_arn

    def of_resource(service: str, method: str, path: str, headers: Any, *rest: Any) -> Any:
        body, _, region, account = rest
        if service == "ecs" and headers.get("x-amz-target", "").endswith(".RunTask"):
            definition = ecs._resolve_td_key(json.loads(body).get("taskDefinition", ""))
            return f"arn:aws:ecs:{region}:{account}:task-definition/{definition}"
        return of_call(service, method, path, headers, *rest)

    actions.extract_resource_arn = of_resource
    evaluator._resolve_condition_key = resolved
    actions.s3_service_context = in_s3
    actions.request_tag_context = in_request


def know_tags() -> None:
    tagging: Any = importlib.import_module("ministack.services.tagging")
    logs = importlib.import_module("ministack.services.cloudwatch_logs")

    def of_logs() -> Iterator[tuple[str, list[dict[str, str]]]]:
        for group in logs._log_groups.values():
            yield (
                group["arn"].removesuffix(":*"),
                [{"Key": key, "Value": value} for key, value in group["tags"].items()],
            )

    tagging._RESOURCE_TAG_COLLECTORS |= {"ecs": tagging._collect_ecs, "logs": of_logs}


if __name__ == "__main__":
    main()
