"""Why a tunnel to AWS does not rise, in words for who joins; three of the lines are heard in live tests too."""

import pytest
from tests.unit.planning.devices.agreed import agreed

from anden.engines.local.join.aws_cause import cause

SENT = "sending packet: from 203.0.113.10[500] to 198.51.100.100[500] (912 bytes)"
SILENCE = "giving up after 3 retransmits"
ANSWER = "parsed IKE_SA_INIT response 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) ]"


def said(*lines: str) -> str:
    tunnel = agreed().tunnels[0]
    return str(cause(agreed(), tunnel, lines))


def test_a_silence_is_most_often_that_this_machine_is_not_seen_as_the_peer() -> None:
    assert said(SENT, SILENCE, "establishing IKE_SA failed, peer not responding") == (
        "link core, tunnel 1: AWS does not answer at 198.51.100.100; nothing came back of IKE; it answers only who is "
        "seen from outside as 203.0.113.10, the link's peer. Join from a machine whose packets leave as 203.0.113.10, "
        "and let UDP 500 and 4500 out to 198.51.100.100 and back."
    )


def test_a_silence_after_the_first_answer_is_another_one() -> None:
    told = said(SENT, ANSWER, SILENCE)
    assert "AWS does not go on at 198.51.100.100" in told
    assert "Let UDP 4500 out to 198.51.100.100 and back. If it is: compare vpn-1" in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("received AUTHENTICATION_FAILED notify error", "AWS refused who we are at 198.51.100.100"),
        ("tried 1 shared key for '203.0.113.10' - '198.51.100.100', but MAC mismatched", "does not fit vpn-1"),
        ("received NO_PROPOSAL_CHOSEN notify error", "proposals for IKE (phase 1)"),
        ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "proposals for ESP (phase 2)"),
        ("received TS_UNACCEPTABLE notify, no CHILD_SA built", "traffic selectors"),
        ("something new", "strongSwan's last words: something new"),
    ],
)
def test_what_aws_says_is_told(line: str, told: str) -> None:
    assert told in said(SENT, ANSWER, line)


def test_without_a_word_it_says_so() -> None:
    assert "strongSwan did not say why" in said()
