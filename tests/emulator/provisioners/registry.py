"""The emulator's ECR as we need it: a login that leads to the emulator's own registry, and verdicts of scans.

A repository's tag `emulator:scan` is what its images' scan says, as base64 of the API's JSON; without one there is no
scan yet, or nothing to scan where only a name was put (tests.emulator.carrying).
"""

import base64
import json
import os
import time
from typing import Any

SCAN = "emulator:scan"


def install(ecr: Any) -> None:
    """Put ours in front of the module's own handler."""
    theirs = ecr.handle_request

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action == "GetAuthorizationToken":
            return ecr.json_response({"authorizationData": [_login()]})
        if action == "DescribeImageScanFindings":
            return _scan(ecr, json.loads(body))
        return await theirs(method, path, headers, body, query)

    ecr.handle_request = handle


def _login() -> dict[str, Any]:
    token = base64.b64encode(b"AWS:a-login-of-the-emulator").decode()
    url = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    return {"authorizationToken": token, "expiresAt": int(time.time()) + 43200, "proxyEndpoint": url}


def _scan(ecr: Any, asked: dict[str, Any]) -> Any:
    name = asked["repositoryName"]
    if name not in ecr._repositories:
        return ecr.error_response_json("RepositoryNotFoundException", "no such repository", 400)
    image = ecr._find_image(name, asked["imageId"])
    if image is None:
        return ecr.error_response_json("ImageNotFoundException", "no such image", 400)
    tags = {tag["Key"]: tag["Value"] for tag in ecr._repositories[name].get("tags", [])}
    if SCAN not in tags and not _is_image(image):
        said = {"imageScanStatus": {"status": "UNSUPPORTED_IMAGE", "description": "it has no layers"}}
        return ecr.json_response({"repositoryName": name, "imageId": asked["imageId"], **said})
    if SCAN not in tags:
        return ecr.error_response_json("ScanNotFoundException", "Image scan does not exist", 400)
    said = json.loads(base64.b64decode(tags[SCAN]))
    return ecr.json_response({"repositoryName": name, "imageId": asked["imageId"], **said})


def _is_image(image: dict[str, Any]) -> bool:
    return "schemaVersion" in json.loads(image.get("imageManifest") or "{}")
