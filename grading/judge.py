"""The grade of one submission: each exercise by itself, in a child of its own, on hidden cases."""

import builtins
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from grading.build import reference
from grading.hidden import HIDDEN, HiddenCases
from grading.notebook import Answers, read
from grading.sandbox import Child, Sandbox, wire
from grading.scan import oddities, refusals
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.exercises.checks import fresh
from lecture_lib.exercises.record import Exercise

LIMIT = 10.0  # seconds for all cases of one exercise
LATE = "too slow, or a loop without end"


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
    exercises = [exercise for exercise in EXERCISES.values() if exercise.notebook == name]
    results = [grade_exercise(answers, exercise, sandbox, [seed_of(secret, exercise)]) for exercise in exercises]
    return Grade(name or "", results, list(answers.problems))


def grade_exercise(answers: Answers, exercise: Exercise, sandbox: Sandbox, seeds: Sequence[int]) -> Result:
    """All points of an exercise if every hidden case is right, else none and the kinds of cases that went wrong."""
    statements = answers.needed_for(exercise.function)
    if not answers.defines(exercise.function):
        return Result(exercise.name, exercise.points, 0, "missing", [f"no function {exercise.function} was found"])
    flags, refused = oddities(statements), refusals(statements, exercise)
    if refused:
        return Result(exercise.name, exercise.points, 0, "refused", refused, flags)
    with sandbox.child() as child:
        failures = _failures(child, answers, exercise, hidden_cases(exercise, seeds))
    status = "wrong" if failures else "right"
    if failures == ["blank"]:
        failures, status = ["not answered"], "blank"
    return Result(exercise.name, exercise.points, 0 if failures else exercise.points, status, failures, flags)


def _failures(child: Child, answers: Answers, exercise: Exercise, cases: HiddenCases) -> list[str]:
    """The kinds of hidden cases that go wrong and how, each once."""
    deadline = time.monotonic() + LIMIT
    job = {
        "statements": [(s.source, s.line) for s in answers.needed_for(exercise.function)],
        "function": exercise.function,
        "given": [reference(EXERCISES[name]) for name in exercise.needs],
        "denied": list(exercise.forbidden),
    }
    found: dict[str, None] = {}
    kind = "the start"
    try:
        ready = child.ask(job, deadline)
        if not isinstance(ready, dict) or "ready" not in ready:
            return [_told(ready.get("missing") if isinstance(ready, dict) else None, answers)]
        for kind, arguments in cases:
            reply = child.ask(fresh(arguments), deadline)
            problem = _problem(exercise, arguments, reply, answers)
            if problem == "blank":
                return ["blank"]
            if problem:
                found[f"{kind}: {problem}"] = None
    except TimeoutError:
        found[f"{kind}: {LATE}"] = None
    except (EOFError, OSError):
        found[f"{kind}: the answer ended Python itself (exit, or too much memory)"] = None
    except wire.Malformed:
        found[f"{kind}: the answer is no value that can be compared"] = None
    return list(found)


def _problem(exercise: Exercise, arguments: tuple, reply: object, answers: Answers) -> str | None:
    """What is wrong with one reply; the expected value is computed only now, when the reply has come."""
    if not isinstance(reply, dict):
        return "no answer"
    if "got" not in reply:
        return "blank" if reply.get("raised") == "NotImplementedError" else _told(reply, answers)
    if reply["got"] is None:
        return "blank"
    try:
        problem = exercise.problem(fresh(arguments), reply["got"], exercise.expected(*fresh(arguments)))
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
