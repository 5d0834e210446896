"""Images: a repository of the account's own for each service, and the settings of the registry that hold them all."""

import json

from anden.engines.aws.render.naming import repository
from anden.engines.aws.render.template import Json, Part, Resource, att, logical, ref, resource
from anden.model.blueprint import Blueprint
from anden.model.topology import Topology

KEPT_IMAGES = 50
"""Images of a service that are kept, the newest, tagged or not: tasks and rollbacks name them by digest."""
SIGNED_YEARS = 1
"""For how long a signature holds."""


def part(blueprint: Blueprint) -> Part:
    """A repository for each service. In the stack of the key, and kept: images outlive the stacks that run them. A
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
        EncryptionConfiguration={"EncryptionType": "KMS", "KmsKey": att("Key", "Arn")},
        LifecyclePolicy={"LifecyclePolicyText": json.dumps(_lifecycle())},
    )  # fmt: skip


def _lifecycle() -> Json:
    return {
        "rules": [
            {
                "rulePriority": 1, "description": "all but the newest", "action": {"type": "expire"},
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
            },
        ]
    }  # fmt: skip


def settings(topology: Topology) -> Part:
    """What AWS has once for a whole registry, so for an account and region, and not for an environment: continuous
    scanning, signatures on push, and copies to the recovery region. For the account's stack."""
    ours = f"{topology.client}/*"
    resources = {
        "Scanning": resource(
            "AWS::ECR::RegistryScanningConfiguration", ScanType="ENHANCED",
            Rules=[
                {"ScanFrequency": "CONTINUOUS_SCAN", "RepositoryFilters": [{"Filter": ours, "FilterType": "WILDCARD"}]}
            ],
        ),
        "Signer": resource(
            "AWS::Signer::SigningProfile", PlatformId="Notation-OCI-SHA384-ECDSA",
            SignatureValidityPeriod={"Type": "YEARS", "Value": SIGNED_YEARS},
        ),
        "Signing": resource(
            "AWS::ECR::SigningConfiguration",
            Rules=[
                {
                    "SigningProfileArn": ref("Signer"),
                    "RepositoryFilters": [{"Filter": ours, "FilterType": "WILDCARD_MATCH"}],
                }
            ],
        ),
    }  # fmt: skip
    if topology.recovery is not None:
        there = {"Region": topology.recovery, "RegistryId": ref("AWS::AccountId")}
        which = {"Filter": f"{topology.client}/", "FilterType": "PREFIX_MATCH"}
        resources["Replication"] = resource(
            "AWS::ECR::ReplicationConfiguration",
            ReplicationConfiguration={"Rules": [{"Destinations": [there], "RepositoryFilters": [which]}]},
        )
    return Part(resources)
