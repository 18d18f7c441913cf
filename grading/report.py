"""What a graded folder becomes: CSV, JSON, statistics of items, imports for Canvas and Moodle, feedback pages."""

import csv
import html
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import torch

from grading.feedback import page
from lecture_lib.files import replacing


def write_reports(out: Path, records: list[dict], level: str) -> None:
    """Write grades.csv, grades.json, items.csv, canvas.csv, moodle-NOTEBOOK.csv and feedback/*.html into a folder."""
    from grading.batch import slug

    _write(out / "grades.json", json.dumps({"isolation": level, "submissions": records}, indent=1) + "\n")
    _write(out / "grades.csv", _csv(_grades(records)))
    _write(out / "items.csv", _csv(_items(records)))
    _write(out / "canvas.csv", _csv(_canvas(records)))
    for notebook in sorted({record["notebook"] for record in records} - {""}):
        _write(out / f"moodle-{notebook}.csv", _csv(_moodle(records, notebook)))
    for record in records:
        _write(out / "feedback" / f"{slug(record['submission'])}.html", page(record, level))


def earned(record: dict) -> int | None:
    """The points of a submission; None, never 0, where it could not be graded."""
    return None if record["status"] in ("error", "unreadable") else sum(r["earned"] for r in record["results"])


def _grades(records: list[dict]) -> list[list]:
    items = list(dict.fromkeys(result["name"] for record in records for result in record["results"]))
    rows = [["submission", "student", "id", "notebook", "status", "points", "of", *items, "remarks"]]
    for record in records:
        of = {result["name"]: result["earned"] for result in record["results"]}
        flags = [f"{r['name']}: {flag}" for r in record["results"] for flag in r["flags"]]
        flags += [f"{r['name']}: {why}" for r in record["results"] if r["status"] == "refused" for why in r["failures"]]
        head = [record[key] for key in ("submission", "student", "id", "notebook", "status")]
        possible = sum(result["points"] for result in record["results"])
        points = [of.get(item) for item in items]
        rows.append([*head, earned(record), possible or None, *points, "; ".join([*record["problems"], *flags])])
    return rows


def _items(records: list[dict]) -> list[list]:
    """How hard each exercise was, and whether who solved it also solved the others (correlation with the rest)."""
    answers = defaultdict(list)
    for record in records:
        for result in record["results"]:
            rest = sum(r["earned"] for r in record["results"]) - result["earned"]
            answers[record["notebook"], result["name"]].append((result, rest))
    rows = [["notebook", "exercise", "points", "submissions", "right", "share right", "with the rest", "most frequent"]]
    for (notebook, name), given in answers.items():
        right = torch.tensor([float(result["status"] == "right") for result, _ in given])
        both = torch.stack([right, torch.tensor([float(rest) for _, rest in given])])
        spread = len(given) > 1 and bool((both.std(dim=1) > 0).all())
        related = round(float(torch.corrcoef(both)[0, 1]), 2) if spread else None
        wrong = Counter(failure for result, _ in given for failure in result["failures"]).most_common(1)
        total, share = int(right.sum()), round(float(right.mean()), 3)
        often = f"{wrong[0][0]} ({wrong[0][1]})" if wrong else ""
        rows.append([notebook, name, given[0][0]["points"], len(given), total, share, related, often])
    return rows


def _best(records: list[dict]) -> dict[tuple[str, str], dict[str, dict]]:
    """For each student and notebook the submission with most points."""
    best: dict = defaultdict(dict)
    for record in records:
        had = best[record["student"], record["id"]].get(record["notebook"])
        points = earned(record)
        if points is not None and (had is None or points > earned(had)):
            best[record["student"], record["id"]][record["notebook"]] = record
    return best


def _canvas(records: list[dict]) -> list[list]:
    notebooks = sorted({record["notebook"] for record in records} - {""})
    possible = {r["notebook"]: sum(result["points"] for result in r["results"]) for r in records}
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *notebooks]]
    rows.append(["    Points Possible", "", "", "", "", *(possible[name] for name in notebooks)])
    for (student, number), graded in _best(records).items():
        points = [earned(graded[name]) if name in graded else None for name in notebooks]
        rows.append([student, number, "", "", "", *points])
    return rows


def _moodle(records: list[dict], notebook: str) -> list[list]:
    rows = [["Identifier", "Full name", "Status", "Grade", "Maximum Grade", "Feedback comments"]]
    for (student, number), graded in _best(records).items():
        if notebook in graded:
            record = graded[notebook]
            wrong = [f"{r['name']}: {r['failures'][0]}" for r in record["results"] if r["failures"]]
            most = sum(result["points"] for result in record["results"])
            name = f"Participant {number}" if number else ""
            rows.append([name, student, record["status"], earned(record), most, html.escape("; ".join(wrong))])
    return rows


def _csv(rows: Iterable[list]) -> str:
    """Rows as CSV; a text that a spreadsheet would run as a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{v}" if isinstance(v, str) and v[:1] in ("=", "+", "-", "@", "\t") else v for v in row])
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="replace")
