"""Who a service is to AWS: an execution role, by which ECS fetches its image, its secrets and writes its log, and a
task role, which is the service's own and may do nothing. Both within the account's boundary."""

from collections.abc import Iterator

from anden.engines.aws.render.arns import BOUNDARY, arn
from anden.engines.aws.render.naming import KEY, log_group, repository, secret_arn
from anden.engines.aws.render.statement import allow, assumed_by, document
from anden.engines.aws.render.template import Json, Part, Resource, att, resource, sub
from anden.model.topology import Service, Topology

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
EXEC = (
    "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)  # fmt: skip
"""What ECS Exec needs of a task (ECS developer guide, "Monitor Amazon ECS containers with ECS Exec"); AWS takes no
resource for them."""
_SUFFIX = "-??????"
"""What Secrets Manager adds to a secret's name in its ARN."""


def part(topology: Topology, service: Service) -> Part:
    """Both roles. In the stack of the service and of its log group."""
    here = {
        "ArnLike": {"aws:SourceArn": arn("ecs", "*")},
        "StringEquals": {"aws:SourceAccount": sub("${AWS::AccountId}")},
    }
    trust = assumed_by("ecs-tasks.amazonaws.com", here)
    return Part(
        {
            "ExecutionRole": _role(trust, list(_execution(topology, service))),
            "TaskRole": _role(trust, list(_task(topology))),
        }
    )


def _role(trust: Json, statements: list[Json]) -> Resource:
    policies = [{"PolicyName": "needs", "PolicyDocument": document(*statements)}] if statements else None
    return resource("AWS::IAM::Role", AssumeRolePolicyDocument=trust, PermissionsBoundary=BOUNDARY, Policies=policies)


def _execution(topology: Topology, service: Service) -> Iterator[Json]:
    yield allow("Login", ["ecr:GetAuthorizationToken"], "*")
    yield allow("ItsImage", PULL, arn("ecr", f"repository/{repository(topology, service.name)}"))
    yield allow("ItsLog", ["logs:CreateLogStream", "logs:PutLogEvents"], att("Log", "Arn"))
    if service.secrets:
        arns = [
            {"Fn::Join": ["", [secret_arn(topology, name), _SUFFIX]]} for name in sorted(set(service.secrets.values()))
        ]
        yield allow("ItsSecrets", ["secretsmanager:GetSecretValue"], arns)
        via = {"StringEquals": {"kms:ViaService": sub("secretsmanager.${AWS::Region}.amazonaws.com")}}
        yield allow("UnsealThem", ["kms:Decrypt"], KEY, when=via)


def _task(topology: Topology) -> Iterator[Json]:
    if not topology.production:
        yield allow("Exec", EXEC, "*")
        yield allow("SealExec", ["kms:Decrypt"], KEY)
        log = arn("logs", f"log-group:{log_group(topology, 'exec')}:*")
        yield allow("RecordExec", ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], log)
        yield allow("FindExecLog", ["logs:DescribeLogGroups"], "*")
