"""The data set a person names on the command line: as in Python."""

from leanseg.api.named_dataset import open_named

__all__ = ["open_named"]
