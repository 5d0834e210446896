"""The rendered CloudFormation lets through what the planner says and the manifest declares, and nothing else."""

import pytest
from hypothesis import HealthCheck, given, settings
from tests.parity.answer import Ground
from tests.parity.cases import environments, golden, rendered
from tests.parity.judged import differences

from anden.model.topology import Topology

CASES = dict(golden())


@pytest.mark.parametrize("case", CASES)
def test_golden_cases(case: str) -> None:
    blueprint, caveats, templates = rendered(CASES[case])
    assert differences(Ground(templates), blueprint, caveats) == []


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(environments())
def test_generated_environments(topology: Topology) -> None:
    blueprint, caveats, templates = rendered(topology)
    assert differences(Ground(templates), blueprint, caveats) == []
