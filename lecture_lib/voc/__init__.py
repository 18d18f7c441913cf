"""Folders in the layout of PASCAL VOC as pairs of image and `Target`: the bundled sets, VOC 2007 and 2012, your own."""

from lecture_lib.voc.annotation import VOC_CLASSES
from lecture_lib.voc.coco import coco_as_voc, is_coco
from lecture_lib.voc.dataset import VOCDataset
from lecture_lib.voc.sets import photos, stamps, voc2007, voc2012

__all__ = ["VOC_CLASSES", "VOCDataset", "coco_as_voc", "is_coco", "photos", "stamps", "voc2007", "voc2012"]
