"""What every measure checks first: one record of results for each record of ground truth."""

from collections.abc import Sequence

from lecture_lib.structures import Detections, Proposals, Target


def check_pairs(results: Sequence[Detections] | Sequence[Proposals], targets: Sequence[Target]) -> None:
    """Raise ValueError unless there is one record of results for each target, of an image of the same size."""
    if len(results) != len(targets):
        raise ValueError(
            f"there are {len(results)} records of results for {len(targets)} targets. Give one for each image, in the "
            "same order; an image in which nothing was found has an empty record."
        )
    for i, (result, target) in enumerate(zip(results, targets, strict=True)):
        if tuple(result.image_size) != tuple(target.image_size):
            raise ValueError(
                f"image {i}: the results are for (height, width) {tuple(result.image_size)}, the target for "
                f"{tuple(target.image_size)}. Are the two lists in the same order, in pixels of the original image?"
            )


def check_detections(
    detections: Sequence[Detections], targets: Sequence[Target], num_classes: int | None = None
) -> None:
    """As `check_pairs`; also raise ValueError for a score that is not a number and for a label above `num_classes`."""
    check_pairs(detections, targets)
    for i, record in enumerate(detections):
        if record.scores.isnan().any():
            raise ValueError(f"image {i}: a score is not a number (NaN). Look for a diverged or untrained head.")
    if num_classes is None:
        return
    for i, record in enumerate([*detections, *targets]):
        if len(record) and record.labels.max() > num_classes:
            raise ValueError(
                f"image {i % len(targets)}: label {int(record.labels.max())}, but there are {num_classes} classes. "
                "Labels are 1 to K: was the detector made for another set?"
            )
