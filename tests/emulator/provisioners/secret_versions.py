"""Versions of secrets as Secrets Manager has them. The emulator makes a version of a secret that is created without a
value (there is none: API, "CreateSecret"), and forgets the labels that a new version is given beside AWSCURRENT
(API, "PutSecretValue")."""

from typing import Any

CURRENT = "AWSCURRENT"


def install(secretsmanager: Any) -> None:
    """In the place of the emulator's own."""
    create, put = secretsmanager._create_secret, secretsmanager._put_secret_value

    def created(data: dict[str, Any]) -> Any:
        answer = create(data)
        if answer[0] == 200 and "SecretString" not in data and "SecretBinary" not in data:
            secretsmanager._secrets[data["Name"]]["Versions"].clear()
        return answer

    def labelled(data: dict[str, Any]) -> Any:
        answer = put(data)
        if answer[0] == 200:
            _, secret = secretsmanager._resolve(data["SecretId"])
            given = [each for each in data.get("VersionStages", ()) if each != CURRENT]
            for label in given:
                secretsmanager._remove_stage_everywhere(secret, label, except_version_id=data["ClientRequestToken"])
                secretsmanager._add_stage(secret, data["ClientRequestToken"], label)
        return answer

    secretsmanager._create_secret, secretsmanager._put_secret_value = created, labelled
