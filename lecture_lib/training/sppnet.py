"""SPPnet trained from start to end: `python -m lecture_lib.training.sppnet --data stamps` (some minutes on two cores).

The stages are those of R-CNN (`lecture_lib.training.rcnn`): fine-tune, store features, SVMs and box regressors. The
trunk is frozen, so fine-tuning reads each image's map from memory instead of running convolutions. It could be trained
through the pyramid, gradients exist; but 128 regions come from about 100 images, and every step would run the trunk
forward and back on all of them (Fast R-CNN, section 2.3). `--scales 320` takes one scale instead of three.
"""

from functools import partial

from lecture_lib.training.commands import command
from lecture_lib.training.rcnn import by_stages

if __name__ == "__main__":
    command("sppnet", __doc__, partial(by_stages, "sppnet"))
