"""Variants of a detector compared with it on the same deal: paired differences cancel the spread of the deals."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from lecture_lib.files import data_root
from lecture_lib.training.results import read_json


def compare(deals: Sequence[Mapping[str, Any]], name: str, base: str) -> tuple[float, float, bool]:
    """Mean and deviation over deals of a variant's mAP minus its base's, and whether it is more than no effect.

    deals: each with its "variants", mAP by name; those that lack one of the two are left out. With one deal the
    deviation is not known (NaN), and nothing can be said.
    """
    measured = [deal["variants"] for deal in deals if {name, base} <= deal["variants"].keys()]
    differences = [variants[name] - variants[base] for variants in measured]
    spread = stdev(differences) if len(differences) > 1 else float("nan")
    return mean(differences), spread, abs(mean(differences)) > spread


def mean_and_deviation(values: Sequence[float]) -> str:
    """Mean and deviation over the deals, "0.770 ± 0.011"; of one value the value alone."""
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def stored_maps(result: str, variant: str) -> dict[int, float]:
    """What a variant reached on each deal by a file of data/results, as far as it was measured."""
    path = data_root() / "results" / result
    deals = read_json(path)["deals"] if path.is_file() else []
    return {deal["deal"]: deal["variants"][variant] for deal in deals if variant in deal["variants"]}


def table(deals: Sequence[Mapping[str, Any]], bases: Mapping[str, str]) -> str:
    """The table in Markdown: mAP of each variant, and its paired difference to its base, which `bases` names."""
    lines = ["| variant | mAP | compared with | difference | |", "|---|---|---|---|---|"]
    names = dict.fromkeys(name for deal in deals for name in deal["variants"])
    for name in names:
        values = [deal["variants"][name] for deal in deals if name in deal["variants"]]
        shown = mean_and_deviation(values)
        if bases.get(name, name) == name or not any({name, bases[name]} <= deal["variants"].keys() for deal in deals):
            lines.append(f"| {name} | {shown} | | | |")
            continue
        difference, spread, effect = compare(deals, name, bases[name])
        told = f"{difference:+.3f}" + ("" if math.isnan(spread) else f" ± {spread:.3f}")
        judged = [] if effect or math.isnan(spread) else ["no effect"]
        judged += [f"{len(values)} of {len(deals)} deals"] if len(values) < len(deals) else []
        lines.append(f"| {name} | {shown} | {bases[name]} | {told} | {', '.join(judged)} |")
    return "\n".join(lines)
