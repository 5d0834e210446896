"""Images: a repository of the account's own for each service. What holds for all of them is `registry_settings`."""

import json

from anden.engines.aws.render.naming import KEY, repository
from anden.engines.aws.render.template import Part, Resource, logical, resource
from anden.model.blueprint import Blueprint
from anden.model.topology import Topology

KEPT_IMAGES = 50
"""Images of a service that are kept, the newest, tagged or not: tasks and rollbacks name them by digest."""
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1, "description": "all but the newest", "action": {"type": "expire"},
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
            },
        ]
    }
)  # fmt: skip
"""Of every repository."""


def part(blueprint: Blueprint) -> Part:
    """A repository for each service. Kept: images outlive the stacks that run them. A
    change set with `ImportExistingResources` takes a kept one up again (CloudFormation API, "CreateChangeSet")."""
    resources = {
        logical("images", service.name): _repository(blueprint.topology, service.name)
        for service in blueprint.topology.services
    }
    return Part(resources)


def _repository(topology: Topology, service: str) -> Resource:
    return resource(
        "AWS::ECR::Repository", keep=True, RepositoryName=repository(topology, service), ImageTagMutability="IMMUTABLE",
        ImageScanningConfiguration={"ScanOnPush": True},
        EncryptionConfiguration={"EncryptionType": "KMS", "KmsKey": KEY},
        LifecyclePolicy={"LifecyclePolicyText": LIFECYCLE},
    )  # fmt: skip
