"""leanseg: train, judge and deploy 3D medical image segmentation within the memory and time a person has."""

__version__ = "0.1.0"
