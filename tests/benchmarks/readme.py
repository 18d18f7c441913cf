"""The README's tables and picture from data/results and the bundled scenes: `python -m tests.benchmarks.readme`."""

from pathlib import Path
from statistics import mean, stdev

import torch

from lecture_lib import proposals, voc
from lecture_lib.exercises.catalogue import BY_NOTEBOOK
from lecture_lib.files import data_root
from lecture_lib.plotting import draw_boxes, ladder, ratios, use_style
from lecture_lib.plotting.coverage import best_boxes
from lecture_lib.plotting.regions import segment_picture
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH
from lecture_lib.plotting.transfer import collect_curves
from lecture_lib.training import faster_ablation, one_pass_ablation, rcnn_ablation, variants
from lecture_lib.training.results import read_json, when_and_where
from tests.benchmarks import budgets, widgets
from tests.benchmarks.paper_scale import PAPER_STEPS
from tests.benchmarks.speed.report import report
from tests.marked import filled

README = Path(__file__).parents[2] / "README.md"
RESULTS = data_root() / "results"
TEACHES = {
    "01_transfer_learning": "MobileNet to EfficientNet built, counted and timed; ImageNet weights; freeze, fine-tune, "
    "or start from scratch",
    "02_selective_search": "from one label to many boxes; sliding windows slid and timed; Selective Search by merges",
    "03_rcnn": "R-CNN's six steps on a picture of your choice, each trained, measured and stepped through; its limits",
    "04_sppnet": "one CNN pass a picture; from pixels to cells of the map; the spatial pyramid; what it makes faster",
    "05_fast_rcnn": "RoI pooling, one loss for classes and boxes, the trunk trained too; truncated SVD",
    "06_faster_rcnn": "anchors and what they teach; a network that proposes; its recall; training in four steps or one",
    "07_summary": "the four side by side: one page, one picture, one measured table beside the papers' numbers",
    "08_stepping_forward": "RoIAlign against RoIPool; a feature pyramid; a mask head; shapes beside filled boxes",
}
BOXES = 500  # an image: where Selective Search is compared
SCENE, LEFT = 45, 12  # of the test split; regions left in the picture's third panel


def notebook_table(results: dict) -> str:
    """What each notebook teaches, with its run time and memory."""
    rows = ["| notebook | teaches | run time | memory |", "|---|---|---|---|"]
    for name, measured in results["notebooks"].items():
        link = f"[{name}](notebooks/{name}.ipynb)"
        rows.append(f"| {link} | {TEACHES[name]} | {measured['seconds']} s | {measured['peak_gib']} GiB |")
    return "\n".join([*rows, f"\nMeasured by `{results['command']}` on {when_and_where(results)}."])


def search_table(results: dict) -> str:
    """Our Selective Search beside OpenCV's."""
    rows = [f"| Selective Search, first {BOXES} boxes | recall at IoU 0.5 | mean best overlap | seconds an image |"]
    rows.append("|---|---|---|---|")
    for name, result in results.items():
        at = result["counts"].index(BOXES)
        for who, figures in result["searches"].items():
            recall, overlap = (f"{figures[row][at]:.3f}" for row in ("recall_at_0.5", "mean_best_overlap"))
            of = f"{name} ({result['images']} pictures), {who}"
            rows.append(f"| {of} | {recall} | {overlap} | {figures['median_seconds']:.2f} |")
    when = "; ".join(dict.fromkeys(when_and_where(result) for result in results.values()))
    command = "python -m tests.benchmarks.selective_search --save"
    return "\n".join([*rows, "", f"`{command}`, VOC 2007's by `--folder FOLDER --split trainval`, {when}."])


def transfer_table(results: dict) -> str:
    """Accuracy of the three ways of transfer learning by images per class."""
    curves = collect_curves(results["points"])
    counts = sorted(next(iter(curves.values())))
    rows = ["| images per class | " + " | ".join(map(str, counts)) + " |", "|---" * (len(counts) + 1) + "|"]
    for method, by_count in curves.items():
        cells = [f"{mean(by_count[n]):.2f} ± {stdev(by_count[n]):.2f}" for n in counts]
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    seeds = len({point["seed"] for point in results["points"]})
    about = (
        f"Accuracy of naming object crops whose cut-outs were never seen: mean and deviation over {seeds} seeds, each "
        f"with another draw of the cut-outs. `make results` measures again; this was on {when_and_where(results)}."
    )
    return "\n".join([*rows, "", about])


def rcnn_table(results: dict) -> str:
    """R-CNN's mAP over deals and what each of its parts is worth."""
    maps = [deal["map"] for deal in results["deals"]]
    about = (
        f"R-CNN on the test split of `data/stamps`: **mAP@0.5 {variants.mean_and_deviation(maps)}** over {len(maps)} "
        "draws of the cut-outs, each with its own seed. Below, one part changed at a time, compared on the same draw; "
        f"a mean difference inside its deviation is no effect. `{results['command']}`, {when_and_where(results)}."
    )
    return f"{about}\n\n{rcnn_ablation.table(results)}"


def rcnn_seconds_table(results: dict) -> str:
    """Seconds that R-CNN takes for one image, slot by slot, with three networks."""
    slots = ("propose", "pool", "embed", "predict", "decode")
    rows = ["| R-CNN, one image | regions | " + " | ".join(slots) + " | seconds |", "|---" * 8 + "|"]
    for name, found in results["networks"].items():
        seconds = found["seconds"]
        cells = [f"{seconds[slot]:.2f}" for slot in slots]
        rows.append(f"| {name} | {found['regions']:,} | " + " | ".join(cells) + f" | **{sum(seconds.values()):.1f}** |")
    return "\n".join([*rows, f"\n`{results['command']}`, {when_and_where(results)}."])


def one_pass_map_table(results: dict) -> str:
    """The mAP of R-CNN, SPPnet and Fast R-CNN on the same deals, what their parts are worth, and truncated SVD."""
    parts = [variants.table(results["deals"], one_pass_ablation.BASES)]
    ranks = [deal["svd"] for deal in results["deals"] if "svd" in deal]
    if ranks:
        rows = ["| rank of fc6 / fc7 | weights | mAP | ms of both, 300 regions |", "|---|---|---|---|"]
        for cut in zip(*ranks, strict=True):
            rank = f"{cut[0]['rank']} / {max(1, cut[0]['rank'] // 4)}" if cut[0]["rank"] else "all"
            maps, times = [row["map"] for row in cut], [row["ms"] for row in cut]
            shown = variants.mean_and_deviation(maps)
            rows.append(f"| {rank} | {cut[0]['weights']:,} | {shown} | {mean(times):.1f} |")
        parts.append("\n".join(rows))
    return "\n\n".join([*parts, f"`{results['command']}`, {when_and_where(results)}."])


def one_pass_table(results: dict) -> str:
    """Seconds of R-CNN, SPPnet and Fast R-CNN side by side, and the ratios beside the lecture's."""
    counts = list(results["inference"])
    head = " | ".join(f"{int(count):,} regions" for count in counts)
    rows = [f"| seconds | {head} | training | stored for it |", "|---" * (3 + len(counts)) + "|"]
    for name, stages in results["training"].items():
        cells = [f"{sum(results['inference'][count][name].values()):.2f}" for count in counts]
        stored = f"{results['bytes'][name] / 1e9:.1f} GB"
        rows.append(f"| {ratios.NAMES[name]} | " + " | ".join(cells) + f" | {sum(stages.values()):.0f} | {stored} |")
    pairs = [ratios.ratio_table(results, *pair) for pair in ratios.CLAIMS]
    about = f"Proposals ({results['propose']:.2f} s an image) are not in it. `{results['command']}`, "
    return "\n\n".join(["\n".join(rows), *pairs, f"{about}{when_and_where(results)}."])


def faster_map_table(results: dict) -> str:
    """Faster R-CNN's mAP by the way in which it was trained, its seconds, and what the RPN covers."""
    deals = results["deals"]
    rows = [
        "| boxes of an image | " + " | ".join(deals[0]["recall"]) + " |",
        "|---" * (1 + len(deals[0]["recall"])) + "|",
    ]
    for count in dict.fromkeys(n for found in deals[0]["recall"].values() for n in found):
        found = [[deal["recall"][name].get(count) for deal in deals] for name in deals[0]["recall"]]
        cells = [f"{mean(values):.3f}" if None not in values else "" for values in found]
        rows.append(f"| {int(count):,} | " + " | ".join(cells) + " |")
    stages = dict.fromkeys(stage for deal in deals for stage in deal["seconds"])
    seconds = {stage: mean(d["seconds"][stage] for d in deals if stage in d["seconds"]) for stage in stages}
    took = ", ".join(f"{stage} {value:.0f} s" for stage, value in seconds.items())
    about = f"Recall is at IoU 0.5. Training: {took}. `{results['command']}`, "
    parts = [variants.table(deals, faster_ablation.BASES), "\n".join(rows), f"{about}{when_and_where(results)}."]
    return "\n\n".join(parts)


def ladder_table(results: dict) -> str:
    """The four detectors: mean average precision, seconds, passes, training, bytes, and the papers' numbers."""
    about = f"300 proposals an image. All seconds, the papers' too, include the proposals. `{results['command']}`, "
    return f"{ladder.ladder_text(results)}\n\n{about}{when_and_where(results)}."


def torchvision_table(results: dict) -> str:
    """Our Faster R-CNN beside torchvision's."""
    rows = ["| Faster R-CNN | mAP | s a training step | s an image |", "|---|---|---|---|"]
    for who in ("ours", "torchvision"):
        maps, seconds = variants.mean_and_deviation(results[who]["maps"]), results[who]["seconds"]
        rows.append(f"| {who} | {maps} | {seconds['a training step']:.2f} | {seconds['an image']:.3f} |")
    aligned = list(variants.stored_maps("faster_map.json", "faster_rcnn, RoIAlign").values())
    if aligned:
        rows.append(f"| ours with RoIAlign | {variants.mean_and_deviation(aligned)} | | |")
    ours, theirs = (results[who]["maps"] for who in ("ours", "torchvision"))
    gains = [one - other for one, other in zip(ours, theirs, strict=True)]
    about = (
        f"Ours less torchvision's on the same draw: {mean(gains):+.3f} ± {stdev(gains):.3f}. torchvision's learning "
        "rate was searched, ours was not; torchvision pools by RoIAlign, ours by RoIPool as in the paper, but for the "
        "last row. "
        f"`{results['command']}`, {when_and_where(results)}."
    )
    return "\n".join([*rows, "", about])


def mask_map_table(results: dict) -> str:
    """Mask R-CNN's average precision on boxes and masks, and that of its boxes filled."""
    rows = ["| Mask R-CNN | AP | AP50 |", "|---|---|---|"]
    for name in ("boxes", "masks", "filled boxes"):
        cells = []
        for number in ("ap", "ap50"):
            values = [deal[name][number] for deal in results["deals"]]
            cells.append(variants.mean_and_deviation(values))
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    count = len(results["deals"])
    about = f"\nCOCO's, on the test split of {count} {'draw' if count == 1 else 'draws'} of the cut-outs. "
    about += f"`{results['command']}`, "
    return "\n".join([*rows, f"{about}{when_and_where(results)}."])


def paper_scale_table(results: dict) -> str:
    """What a training step at the paper's scale takes on every machine that has measured it, and all steps would."""
    rows = ["| measured on | precision | a step | memory | all steps |", "|---|---|---|---|---|"]
    for run in results["runs"]:
        precision = "bfloat16 mixed" if run["mixed_precision"] else "float32"
        hours = PAPER_STEPS * run["step"] / 3600
        cells = (when_and_where(run), precision, f"{run['step']:.2f} s", f"{run['peak_gib']:.1f} GiB", f"{hours:.1f} h")
        rows.append(f"| {' | '.join(cells)} |")
    about = (
        f"A step of two images, by `{results['command']}`; all steps are the paper's {PAPER_STEPS:,} at this speed. "
        "Nobody has run them, and no mAP is claimed."
    )
    return "\n".join([*rows, f"\n{about}"])


def widgets_table(results: dict) -> str:
    """How fast every widget answers in JupyterLab."""
    return f"{widgets.table(results)}. `{results['command']}`, {when_and_where(results)}."


def budget_table(results: dict) -> str:
    """What the course may cost and does."""
    names = ("notebooks", "widgets", "speed")
    kept = {name: read_json(RESULTS / f"{name}.json") for name in names if (RESULTS / f"{name}.json").exists()}
    return budgets.table(results, kept)


def exercise_table() -> str:
    """The exercises of every notebook that is handed in, by the names that `check` knows them by."""
    rows = ["| notebook | exercises | points |", "|---|---|---|"]
    for notebook, own in BY_NOTEBOOK.items():
        names = ", ".join(f"`{exercise.name}`" for exercise in own)
        rows.append(f"| {notebook} | {names} | {sum(exercise.points for exercise in own)} |")
    return "\n".join(rows)


def tables() -> dict[str, str]:
    """Every table of the README by the name in its marker; of what has been measured."""
    makers = {
        "notebooks": notebook_table,
        "selective_search": search_table,
        "transfer_curves": transfer_table,
        "rcnn": rcnn_table,
        "rcnn_seconds": rcnn_seconds_table,
        "one_pass_map": one_pass_map_table,
        "one_pass": one_pass_table,
        "faster_map": faster_map_table,
        "ladder": ladder_table,
        "torchvision": torchvision_table,
        "mask_map": mask_map_table,
        "paper_scale": paper_scale_table,
        "widgets": widgets_table,
        "speed": report,
        "speed_gpu": report,
        "budgets": budget_table,
    }
    paths = {name: RESULTS / f"{name}.json" for name in makers}
    measured = {name: make(read_json(paths[name])) for name, make in makers.items() if paths[name].exists()}
    return measured | {"exercises": exercise_table()}


def with_tables(text: str) -> str:
    """The README's text with every table made anew."""
    return filled(text, tables())


def draw_picture(path: Path) -> None:
    """A scene, its first regions, a later level of the hierarchy, and the best proposal of every object."""
    use_style()
    image, target = voc.stamps("test")[SCENE]
    strategy = proposals.Strategy(k=150)
    first = proposals.first_regions(image, strategy)
    steps = list(proposals.hierarchical_grouping(image, strategy))
    later = proposals.labels_after(first, steps[: len(steps) + 1 - LEFT])
    found = proposals.selective_search(image)
    panels = {
        "A picture": image,
        f"{len(steps) + 1} first regions": segment_picture(image, first),
        f"Merged to {LEFT}": segment_picture(image, later),
        f"The best of {len(found)} boxes": image,
    }
    axes = row_of_pictures(list(panels.values()), width=13)
    for panel, title in zip(axes, panels, strict=True):
        panel.set_title(title)
    draw_boxes(axes[3], target.boxes, GROUND_TRUTH, width=1.5)
    draw_boxes(axes[3], torch.stack([best.box for best in best_boxes([found], [target])]), DETECTION)
    axes[0].figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
    draw_picture(README.parent / "data" / "readme.png")
