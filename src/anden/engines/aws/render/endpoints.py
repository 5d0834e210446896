"""Interface endpoints: AWS's own services at private addresses in the data subnets, so that tasks need no way out.

Their policies admit the client's own account only: its principals, on its resources. A resource condition applies where
a request has one (`IfExists`): some actions, as `ecr:GetAuthorizationToken` and `sts:GetCallerIdentity`, have none.
One exception: ECR hands out image layers as signed links into a bucket of AWS's own, so reading from that one bucket is
free of conditions (ECR user guide, "Amazon ECR interface VPC endpoints", minimum permissions for the S3 bucket).

Who may open them is `rules`' (each service, on 443): their group itself allows nothing.
"""

from anden.engines.aws.render.groups import NOTHING
from anden.engines.aws.render.naming import ENDPOINTS_GROUP
from anden.engines.aws.render.template import Json, Part, Resource, att, logical, ref, resource, sub, tags
from anden.engines.aws.render.terrain import Terrain
from anden.engines.aws.render.vpc import DATA, VPC_ID, subnet

SERVICES = ("ecr.api", "ecr.dkr", "kms", "logs", "s3", "secretsmanager", "ssm", "ssmmessages", "sts")
"""What tasks need: images (ecr, s3), logs, secrets (secretsmanager, ssm, kms), ECS Exec (ssmmessages), roles (sts).
Metrics are not among them: nothing in a task of ours sends any (CloudWatch collects them from outside)."""
GROUP_ID = "EndpointsGroup"


def part(terrain: Terrain) -> Part:
    """One endpoint for each of `SERVICES`, with an interface in every zone of the environment. Publishes the group."""
    resources: dict[str, Resource] = {
        GROUP_ID: resource(
            "AWS::EC2::SecurityGroup", GroupDescription=f"{terrain.name}: interface endpoints", VpcId=ref(VPC_ID),
            SecurityGroupEgress=NOTHING, Tags=tags(Name=f"{terrain.name}-endpoints"),
        )
    }  # fmt: skip
    for service in SERVICES:
        resources[logical("endpoint", service)] = resource(
            "AWS::EC2::VPCEndpoint", VpcEndpointType="Interface", VpcId=ref(VPC_ID),
            ServiceName=sub(f"com.amazonaws.${{AWS::Region}}.{service}"), PrivateDnsEnabled=True,
            maybe={"DnsOptions": _dns(service)}, SubnetIds=[ref(subnet(DATA, zone.name)) for zone in terrain.zones],
            SecurityGroupIds=[att(GROUP_ID, "GroupId")], PolicyDocument=policy(service),
            Tags=tags(Name=f"{terrain.name}-{service}"),
        )  # fmt: skip
    return Part(resources, {ENDPOINTS_GROUP.key: att(GROUP_ID, "GroupId")})


def _dns(service: str) -> Json:
    """Of S3 the private names are meant for the data centre's side, unless it is said that the VPC's own resolver
    gives them too (PrivateLink guide, "Private DNS" of interface endpoints for S3)."""
    return {"PrivateDnsOnlyForInboundResolverEndpoint": "AllResolvers"} if service == "s3" else None


def policy(service: str) -> Json:
    """What the endpoint of `service` lets through."""
    own = ref("AWS::AccountId")
    statements: list[Json] = [
        {
            "Sid": "OwnAccount",
            "Effect": "Allow",
            "Principal": "*",
            "Action": f"{service.split('.', maxsplit=1)[0]}:*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:PrincipalAccount": own},
                "StringEqualsIfExists": {"aws:ResourceAccount": own},
            },
        }
    ]
    if service == "s3":
        statements.append(
            {
                "Sid": "ImageLayers",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": sub("arn:${AWS::Partition}:s3:::prod-${AWS::Region}-starport-layer-bucket/*"),
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}
