"""What holds for every repository of the account's registry, in both regions: scanning, signing, copies.

Images are scanned again whenever a new weakness is known (enhanced scanning by Inspector), signed when they are pushed,
and copied to the recovery region, where the copies' repositories are made by a template.
"""

import json

from anden.engines.aws.render.account import Account, Present
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource

KEPT_COPIES = 50
"""Images that a repository of copies keeps: as many versions as one may want to go back."""
SIGNATURE_MONTHS = 135
"""How long a signature holds: Signer's own default (AWS Signer developer guide, "Signing profiles")."""


def part(account: Account) -> Part:
    """Scanning, signing, and copying where there is somewhere to copy to."""
    resources: dict[str, Resource] = {
        "SigningProfile": resource(
            "AWS::Signer::SigningProfile", PlatformId="Notation-OCI-SHA384-ECDSA",
            SignatureValidityPeriod={"Type": "MONTHS", "Value": SIGNATURE_MONTHS},
        ),
        "Signing": resource("AWS::ECR::SigningConfiguration", Rules=[{
            "SigningProfileArn": att("SigningProfile", "Arn"),
            "RepositoryFilters": [{"Filter": f"{account.client}/*", "FilterType": "WILDCARD_MATCH"}],
        }]),
        **_scanning(account),
    }  # fmt: skip
    if account.recovery and account.recovery != account.region:
        resources["Copies"] = resource("AWS::ECR::ReplicationConfiguration", ReplicationConfiguration={"Rules": [{
            "Destinations": [{"Region": account.recovery, "RegistryId": ref("AWS::AccountId")}],
            "RepositoryFilters": [{"Filter": f"{account.client}/", "FilterType": "PREFIX_MATCH"}],
        }]})  # fmt: skip
    return Part(resources)


def copies(account: Account) -> Part:
    """In the recovery region: how the repositories of copies are, and that they are scanned too."""
    template = resource(
        "AWS::ECR::RepositoryCreationTemplate", AppliedFor=["REPLICATION"], Prefix=account.client,
        Description="Repositories of copies", ImageTagMutability="IMMUTABLE",
        EncryptionConfiguration={"EncryptionType": "AES256"}, LifecyclePolicy=json.dumps(_keep_newest(KEPT_COPIES)),
    )  # fmt: skip
    return Part({"CopiesTemplate": template, **_scanning(account)})


def _scanning(account: Account) -> dict[str, Resource]:
    if Present.SCANNING in account.present:
        return {}
    rule: Json = {
        "ScanFrequency": "CONTINUOUS_SCAN",
        "RepositoryFilters": [{"Filter": f"{account.client}/*", "FilterType": "WILDCARD"}],
    }
    return {"Scanning": resource("AWS::ECR::RegistryScanningConfiguration", ScanType="ENHANCED", Rules=[rule])}


def _keep_newest(count: int) -> Json:
    return {"rules": [{
        "rulePriority": 1, "action": {"type": "expire"},
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count},
    }]}  # fmt: skip
