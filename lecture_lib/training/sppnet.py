"""SPPnet trained from start to end: `python -m lecture_lib.training.sppnet --data stamps` (some minutes on two cores).

The stages are those of R-CNN (`lecture_lib.training.rcnn`): fine-tune, store features, SVMs and box regressors. The
trunk is frozen, so fine-tuning reads each image's map from memory instead of running convolutions. It could be trained
through the pyramid, gradients exist; but 128 regions come from about 100 images, and every step would run the trunk
forward and back on all of them (Fast R-CNN, section 2.3). `--scales 320` takes one scale instead of three.
"""

from lecture_lib.training.rcnn import main

if __name__ == "__main__":
    main("sppnet", __doc__)
