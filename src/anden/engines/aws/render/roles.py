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

TRUST = assumed_by(
    "ecs-tasks.amazonaws.com",
    {
        "ArnLike": {"aws:SourceArn": arn("ecs", "*")},
        "StringEquals": {"aws:SourceAccount": sub("${AWS::AccountId}")},
    },
)
"""Who takes on either: ECS, for tasks of this account."""
LOGIN = allow("Login", ["ecr:GetAuthorizationToken"], "*")
ITS_LOG = allow("ItsLog", ["logs:CreateLogStream", "logs:PutLogEvents"], att("Log", "Arn"))
BY_EXEC = allow("Exec", EXEC, "*")
SEAL_EXEC = allow("SealExec", ["kms:Decrypt"], KEY)
FIND_EXEC_LOG = allow("FindExecLog", ["logs:DescribeLogGroups"], "*")


def part(topology: Topology, service: Service) -> Part:
    """Both roles. In the stack of the service and of its log group."""
    return Part(
        {
            "ExecutionRole": _role(list(_execution(topology, service))),
            "TaskRole": _role(list(_task(topology))),
        }
    )


def _role(statements: list[Json]) -> Resource:
    policies = [{"PolicyName": "needs", "PolicyDocument": document(*statements)}] if statements else None
    return resource(
        "AWS::IAM::Role", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=BOUNDARY, maybe={"Policies": policies}
    )


def _execution(topology: Topology, service: Service) -> Iterator[Json]:
    yield LOGIN
    yield allow("ItsImage", PULL, arn("ecr", f"repository/{repository(topology, service.name)}"))
    yield ITS_LOG
    if service.secrets:
        arns = [
            {"Fn::Join": ["", [secret_arn(topology, name), _SUFFIX]]} for name in sorted(set(service.secrets.values()))
        ]
        yield allow("ItsSecrets", ["secretsmanager:GetSecretValue"], arns)
        via = {"StringEquals": {"kms:ViaService": sub("secretsmanager.${AWS::Region}.amazonaws.com")}}
        yield allow("UnsealThem", ["kms:Decrypt"], KEY, when=via)


def _task(topology: Topology) -> Iterator[Json]:
    if not topology.production:
        yield BY_EXEC
        yield SEAL_EXEC
        log = arn("logs", f"log-group:{log_group(topology, 'exec')}:*")
        yield allow("RecordExec", ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], log)
        yield FIND_EXEC_LOG
