import torch

from lecture_lib.exercises.cases import Case, check

CASES = [
    Case((torch.tensor([1.0, 2.0]),), torch.tensor([2.0, 4.0]), "Did you double every entry?"),
    Case((torch.zeros(0),), torch.zeros(0), "Empty input gives empty output."),
]


def double(x):
    return 2 * x


def test_no_case():
    assert check(double, []) == "Right: double passes 0 cases."


def test_right_answer():
    assert check(double, CASES) == "Right: double passes 2 cases."


def test_first_failing_case_with_expected_got_and_hint():
    message = check(lambda x: x, CASES)
    assert "should be tensor([2.0, 4.0]), got tensor([1.0, 2.0])" in message
    assert "Did you double every entry?" in message


def test_unsolved_stub():
    assert "Not solved yet" in check(lambda x: ..., CASES)
    assert "Not solved yet" in check(lambda x: None, CASES)


def test_an_exception_is_told_and_not_raised():
    assert "raised ZeroDivisionError" in check(lambda x: 1 / 0, CASES)


def test_wrong_shape_and_wrong_type_are_wrong():
    assert "Not yet" in check(lambda x: 2 * x[:, None], CASES)
    assert "Not yet" in check(lambda x: "four", CASES)


def test_an_answer_that_changes_its_input_cannot_spoil_the_next_case():
    def in_place(x):
        x *= 2
        return x

    assert "Right" in check(in_place, CASES)
    assert "Right" in check(double, CASES)


def test_whole_numbers_and_sets_are_compared_too():
    assert "Right" in check(lambda n: n * n, [Case((5,), 25, "")])
    assert "Right" in check(lambda n: {"head"}, [Case((5,), {"head"}, "")])
    assert "Not yet" in check(lambda n: {"trunk"}, [Case((5,), {"head"}, "")])
