"""How API Gateway writes logs: by one role for the whole account and region. Without it a stage with access logs is
refused, so it comes before any environment."""

from anden.engines.aws.render.account import BOUNDARY
from anden.engines.aws.render.statement import trust
from anden.engines.aws.render.template import Part, att, resource, sub

LOGGING = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"


def part() -> Part:
    """The role, and that the account uses it."""
    role = resource(
        "AWS::IAM::Role", after=["Boundary"], AssumeRolePolicyDocument=trust({"Service": "apigateway.amazonaws.com"}),
        ManagedPolicyArns=[sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{LOGGING}")], PermissionsBoundary=BOUNDARY,
        Description="API Gateway's logs",
    )  # fmt: skip
    return Part(
        {
            "GatewayLogs": role,
            "GatewayAccount": resource("AWS::ApiGateway::Account", CloudWatchRoleArn=att("GatewayLogs", "Arn")),
        }
    )
