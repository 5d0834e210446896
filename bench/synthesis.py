"""The peer of bench.render: `python synthesis.py TEMPLATES OUT` synthesises with the AWS CDK the very resources that
are in TEMPLATES (JSON: stack name to template), and prints what it took. Runs in an environment of its own, which has
`aws-cdk-lib` and nothing of anden.

Each resource is a `CfnResource` with its properties as they are: what constructs of a higher level compute besides is
left out, in the CDK's favour. Its validation is left out too.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import aws_cdk as cdk

from resident import resident

BARE = {"@aws-cdk/core:validateAgainstDefaultRules": False}
"""Without its validation of templates."""


def main(templates: Path, out: str) -> None:
    """Read, then synthesise; only the second is measured."""
    wanted = json.loads(templates.read_text())
    cdk.App(outdir=f"{out}/first")  # what is loaded when it is first needed
    before, began = resident(), perf_counter()
    app = cdk.App(outdir=out, analytics_reporting=False, context=BARE)
    count = 0
    for name, template in wanted.items():
        stack = cdk.Stack(app, name, synthesizer=cdk.LegacyStackSynthesizer())
        for logical, each in template["Parameters"].items():
            cdk.CfnParameter(stack, logical, type=each["Type"], default=each["Default"])
        for logical, each in template["Resources"].items():
            cdk.CfnResource(stack, logical, type=each["Type"], properties=each.get("Properties", {}))
            count += 1
    app.synth(skip_validation=True)
    took = perf_counter() - began
    print(json.dumps({"seconds": took, "grown_mib": resident(most=True) - before, "resources": count}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
