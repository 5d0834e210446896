"""How API Gateway writes logs: by one role for the whole account and region. Without it a stage with access logs is
refused, so it comes before any environment.

Its trust names no source account: AWS documents none for this role (API Gateway developer guide, "Set up CloudWatch
logging for REST APIs"), and API Gateway is known to take on roles without saying for whom, so that such a condition
would shut it out. The role may write logs in this account and do nothing else.
"""

from anden.engines.aws.render.arns import BOUNDARY, managed
from anden.engines.aws.render.statement import trust
from anden.engines.aws.render.template import Part, att, resource

LOGGING = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
"""AWS's policy for API Gateway's logs (API Gateway developer guide, "Set up CloudWatch logging for REST APIs")."""


def part() -> Part:
    """The role, and that the account uses it."""
    role = resource(
        "AWS::IAM::Role", after=["Boundary"], AssumeRolePolicyDocument=trust({"Service": "apigateway.amazonaws.com"}),
        ManagedPolicyArns=[managed(LOGGING)], PermissionsBoundary=BOUNDARY,
        Description="API Gateway's logs",
    )  # fmt: skip
    return Part(
        {
            "GatewayLogs": role,
            "GatewayAccount": resource("AWS::ApiGateway::Account", CloudWatchRoleArn=att("GatewayLogs", "Arn")),
        }
    )
