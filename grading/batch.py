"""Grade a folder of submissions: `python -m lecture_lib.exercises.grade SUBMISSIONS --out DIR`.

Every result is written as soon as it is there. Killed at any moment, the same command goes on where it stopped.
"""

import argparse
import hashlib
import json
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from grading.judge import grade
from grading.notebook import Unreadable
from grading.report import write_reports
from grading.sandbox import Sandbox, Weak
from grading.submissions import Submission, find
from lecture_lib import exercises
from lecture_lib.exercises.catalogue import BY_NOTEBOOK
from lecture_lib.files import Busy, NoRoom, alone, replacing

HERE = Path(__file__).parent
SECRET = HERE / "secret.txt"


def main(arguments: list[str] | None = None) -> int:
    """Grade; the exit status: 0, 1 where some submission could not be graded, 2 for a refusal, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        with alone(options.out):
            return _grade_all(options)
    except KeyboardInterrupt:
        print(
            f"Interrupted. What is graded lies in {options.out}; the same command goes on from here.", file=sys.stderr
        )
        return 130
    except (Weak, NotADirectoryError, ValueError, NoRoom, Busy) as error:
        print(f"Not graded: {error}", file=sys.stderr)
        return 2


def _grade_all(options: argparse.Namespace) -> int:
    secret = secret_of(options.secret_file)
    submissions = list(find(options.submissions))
    batch = Batch(options.out, secret, options.assignment, options.allow_weak_isolation)
    batch.run(submissions, options.jobs)
    records = batch.records(submissions)
    write_reports(options.out, records, batch.level)
    counts = {status: sum(r["status"] == status for r in records) for status in sorted({r["status"] for r in records})}
    print(f"{len(records)} submissions: {', '.join(f'{n} {status}' for status, n in counts.items())}")
    print(f"Isolation {batch.level}. Grades: {options.out / 'grades.csv'}")
    return int(counts.get("error", 0) > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lecture_lib.exercises.grade", description=__doc__)
    parser.add_argument("submissions", type=Path, help="a folder of notebooks and zips, in any sub-folders")
    parser.add_argument("--out", type=Path, required=True, help="the folder for grades and feedback")
    parser.add_argument("--jobs", type=int, default=2, help="how many submissions are graded at once (2)")
    parser.add_argument("--assignment", choices=BY_NOTEBOOK, help="which notebook all are; else each is recognised")
    parser.add_argument("--secret-file", type=Path, default=SECRET, help="what hidden cases are drawn from; keep it")
    parser.add_argument("--allow-weak-isolation", action="store_true", help="grade although walls are missing")
    return parser


def secret_of(path: Path) -> str:
    """The secret of this course's hidden cases, made on first use."""
    if not path.exists():
        with replacing(path) as beside:
            beside.touch(mode=0o600)
            beside.write_text(secrets.token_hex(32) + "\n")
    return path.read_text().strip()


def version() -> str:
    """A checksum of all code that decides about points: results of other code are graded again."""
    files = sorted([*HERE.rglob("*.py"), *Path(exercises.__file__).parent.glob("*.py")])
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


class Batch:
    """Grades submissions into a folder, several at once; each worker has a sandbox of its own."""

    def __init__(self, out: Path, secret: str, assignment: str | None = None, allow_weak: bool = False) -> None:
        self._out, self._secret, self._assignment, self._weak = out, secret, assignment, allow_weak
        self._version = version()
        self._local, self._sandboxes, self._stop = threading.local(), [], threading.Event()
        self.level = "not needed"

    def run(self, submissions: list[Submission], jobs: int = 2) -> None:
        """Grade what has no result yet. Raises Weak before anything is graded."""
        if jobs < 1:
            raise ValueError(f"--jobs is {jobs}: give 1 or more")
        try:
            self.level = self._sandbox().level if submissions else self.level
            with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(submissions), disable=None, unit="submission") as bar:
                waiting = {pool.submit(self._one, submission) for submission in submissions}
                for done in self._as_completed(waiting):
                    bar.set_postfix_str(done.result())
                    bar.update()
        finally:
            for sandbox in self._sandboxes:
                sandbox.close()

    def _as_completed(self, waiting: set[Future]) -> Iterator[Future]:
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from done
        except BaseException:
            self._stop.set()
            raise

    def records(self, submissions: list[Submission]) -> list[dict]:
        """The results of all submissions, in their order."""
        return [json.loads(self._path(submission).read_text()) for submission in submissions]

    def _path(self, submission: Submission) -> Path:
        return self._out / "results" / f"{slug(submission.label)}.json"

    def _one(self, submission: Submission) -> str:
        """Grade one submission and write its result; whatever happens stays with this submission."""
        if self._stop.is_set():
            return "stopped"
        path = self._path(submission)
        record = {"submission": submission.label, "student": submission.student[0], "id": submission.student[1]}
        try:
            raw = submission.load()
            key = f"{self._version}{self._secret}{self._assignment}".encode() + raw
            record["key"] = hashlib.sha256(key).hexdigest()
            if path.is_file() and json.loads(path.read_text()).get("key") == record["key"]:
                return submission.label
            graded = grade(raw, self._sandbox(), self._secret, self._assignment)
            record |= asdict(graded) | {"status": graded.status if graded.results else "unreadable"}
            record["problems"] += [] if graded.results else ["no function of any exercise was found in it"]
        except Unreadable as error:
            record |= {"notebook": "", "results": [], "problems": [str(error)], "status": "unreadable"}
        except Exception as error:  # the grader's own mistake must cost nobody else anything, and this one no points
            problem = f"the grader failed ({type(error).__name__}: {error}); grade this one by hand"
            record |= {"notebook": "", "results": [], "problems": [problem], "status": "error", "key": ""}
        with replacing(path) as beside:
            beside.write_text(json.dumps(record, indent=1, ensure_ascii=True) + "\n")
        return submission.label

    def _sandbox(self) -> Sandbox:
        if not hasattr(self._local, "sandbox"):
            self._local.sandbox = Sandbox(self._weak)
            self._sandboxes.append(self._local.sandbox)
        return self._local.sandbox


def slug(label: str) -> str:
    """A file name for a submission, whatever its own name holds; different labels get different ones."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "_", label.removesuffix(".ipynb"))[:60].strip("_")
    return f"{plain}-{hashlib.sha256(label.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


if __name__ == "__main__":
    sys.exit(main())
