"""The grade of one submission: each exercise by itself, in a child of its own, on hidden cases."""

import builtins
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from grading.build import reference
from grading.hidden import HIDDEN, HiddenCases
from grading.notebook import Answers, Statement, read
from grading.sandbox import Child, Sandbox, wire
from grading.scan import oddities, refusals
from lecture_lib.exercises.catalogue import BY_NOTEBOOK, EXERCISES
from lecture_lib.exercises.checks import fresh
from lecture_lib.exercises.record import Exercise

LIMIT = 10.0  # seconds for all cases of one exercise


@dataclass(frozen=True)
class Result:
    """What an exercise earned. `failures`: kinds of cases and what was wrong; `flags`: for a person to look at."""

    name: str
    points: int
    earned: int
    status: str  # right, wrong, refused, blank, missing
    failures: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Grade:
    """A graded submission; `problems` are cells that could not be read."""

    notebook: str
    results: list[Result]
    problems: list[str]

    @property
    def status(self) -> str:
        """graded, or flagged where somebody should look at it."""
        return "flagged" if any(r.flags or r.status == "refused" for r in self.results) else "graded"


def seed_of(secret: str, exercise: Exercise) -> int:
    """The seed of an exercise's hidden cases: one for the whole assignment, so that all are asked the same."""
    digest = hashlib.sha256(f"{secret}\n{exercise.notebook}\n{exercise.name}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def hidden_cases(exercise: Exercise, seeds: Sequence[int]) -> HiddenCases:
    """The hidden cases that the seeds give, one seed after the other."""
    return [case for seed in seeds for case in HIDDEN[exercise.name](torch.Generator().manual_seed(seed))]


def notebook_of(answers: Answers) -> str | None:
    """Which of the course's notebooks this is: the one of whose functions it defines most."""
    counts = {}
    for exercise in EXERCISES.values():
        counts[exercise.notebook] = counts.get(exercise.notebook, 0) + answers.defines(exercise.function)
    best = max(counts, key=counts.get)
    return best if counts[best] else None


def grade(raw: bytes, sandbox: Sandbox, secret: str, assignment: str | None = None) -> Grade:
    """Grade a notebook. Raises notebook.Unreadable; nothing that the submission does raises anything else."""
    answers = read(raw)
    name = assignment or notebook_of(answers)
    results = [
        grade_exercise(answers, exercise, sandbox, [seed_of(secret, exercise)])
        for exercise in BY_NOTEBOOK.get(name, ())
    ]
    return Grade(name or "", results, list(answers.problems))


def grade_exercise(answers: Answers, exercise: Exercise, sandbox: Sandbox, seeds: Sequence[int]) -> Result:
    """All points of an exercise if every hidden case is right, else none and the kinds of cases that went wrong."""
    statements = _needed(answers, exercise)
    if not answers.defines(exercise.function):
        return Result(exercise.name, exercise.points, 0, "missing", [f"no function {exercise.function} was found"])
    flags, refused = oddities(statements), refusals(statements, exercise)
    if refused:
        return Result(exercise.name, exercise.points, 0, "refused", refused, flags)
    with sandbox.child() as child:
        found = _failures(child, answers, exercise, hidden_cases(exercise, seeds))
    status = "blank" if found == ["blank"] else "wrong" if found else "right"
    found = ["not answered"] if status == "blank" else found
    return Result(exercise.name, exercise.points, 0 if found else exercise.points, status, found, flags)


def _failures(child: Child, answers: Answers, exercise: Exercise, cases: HiddenCases) -> list[str]:
    """What goes wrong and with which kinds of hidden cases; whatever the child does, nothing is raised."""
    deadline = time.monotonic() + LIMIT
    found: list[str] = []
    try:
        problem = define(child, answers, exercise, deadline)
        if problem:
            return [problem]
        for found in failures(child, answers, exercise, cases, deadline):
            if found == ["blank"]:
                break
    except TimeoutError:
        found = [*found, "too slow, or a loop without end"]
    except (EOFError, OSError):
        found = [*found, "the answer ended Python itself (exit, or too much memory)"]
    except wire.Malformed:
        found = [*found, "the answer is no value that can be compared"]
    return found


def _needed(answers: Answers, exercise: Exercise) -> tuple[Statement, ...]:
    return answers.needed_for(exercise.function, [EXERCISES[name].function for name in exercise.needs])


def define(child: Child, answers: Answers, exercise: Exercise, deadline: float) -> str | None:
    """Let the child define what the answer needs; what went wrong, in words. Raises as `Child.ask` does."""
    job = {
        "statements": [(s.source, s.line) for s in _needed(answers, exercise)],
        "function": exercise.function,
        "given": {EXERCISES[name].function: reference(EXERCISES[name]) for name in exercise.needs},
        "denied": list(exercise.forbidden),
    }
    ready = child.ask(job, deadline)
    if isinstance(ready, dict) and "ready" in ready:
        return None
    return _told(ready.get("missing") if isinstance(ready, dict) else None, answers)


def failures(
    child: Child, answers: Answers, exercise: Exercise, cases: HiddenCases, deadline: float
) -> Iterator[list[str]]:
    """After each case what was wrong so far and with which kinds; ["blank"] for no answer. Raises as `Child.ask`."""
    found: dict[str, dict[str, None]] = {}
    for number, (kind, arguments) in enumerate(cases):
        problem = _problem(exercise, arguments, child.ask(fresh(arguments), deadline), answers)
        if problem == "blank" and not number:
            yield ["blank"]
            return
        if problem:
            found.setdefault("no value is returned" if problem == "blank" else problem, {})[kind] = None
        yield [f"{what}: {', '.join(kinds)}" for what, kinds in found.items()]


def _problem(exercise: Exercise, arguments: tuple, reply: object, answers: Answers) -> str | None:
    """What is wrong with one reply; the expected value is computed only now, when the reply has come."""
    if not isinstance(reply, dict):
        return "no answer"
    if "got" not in reply:
        return "blank" if reply.get("raised") == "NotImplementedError" else _told(reply, answers)
    try:
        expected = exercise.expected(*fresh(arguments))
        if reply["got"] is None and expected is not None:
            return "blank"
        problem = exercise.problem(fresh(arguments), reply["got"], expected)
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError, KeyError, OverflowError):
        return "not the kind of value that is asked for"
    return problem or ("the input is changed" if reply.get("changed") else None)


def _told(reply: object, answers: Answers) -> str:
    """An exception without its text: the text could carry the hidden input out."""
    reply = reply if isinstance(reply, dict) else {}
    name, line = reply.get("raised"), reply.get("line")
    known = isinstance(name, str) and isinstance(getattr(builtins, name, None), type)
    place = f" in {answers.place(line)}" if isinstance(line, int) and 0 < line < 1 << 20 else ""
    told = name if known else "a value that cannot be sent" if name == "Malformed" else "an exception"
    more = " (statements that call something at top level are not run: put them into the function)"
    return f"{told}{place}{more if name == 'NameError' else ''}"
