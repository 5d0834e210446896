from anden.model.problem import Problem


def test_a_problem_is_a_sentence_and_its_fix() -> None:
    said = Problem("services/a/port (anden.yaml:3)", "80800 is not a port", "ports run from 1 to 65535", "Use 8080.")
    assert str(said) == "services/a/port (anden.yaml:3): 80800 is not a port; ports run from 1 to 65535. Use 8080."


def test_a_cause_that_is_a_problem_told_whole_gives_no_second_full_stop() -> None:
    cause = Problem("port 127.0.0.1:8080", "is taken", "another program listens there", "End it.")
    assert str(Problem("certification", "did not come up", str(cause), "Try again.")).count("..") == 0
    assert str(Problem("certification", "did not come up", str(cause), "Try again.")).endswith("End it. Try again.")
