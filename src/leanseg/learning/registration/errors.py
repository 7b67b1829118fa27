"""Why a pair of scans is not registered."""

from pathlib import Path

from leanseg.errors import InputError


class NothingToAlignError(InputError):
    """A scan that shows nothing: it has one value, or too few voxels along an axis."""

    def __init__(self, role: str, reason: str) -> None:
        super().__init__(
            what=f"the {role} scan cannot be registered: {reason}",
            why="two scans are laid over each other by what both show in three dimensions",
            fix="name a three-dimensional scan with contrast; leanseg info shows what a file holds",
        )


class NoOverlapError(InputError):
    """The fields of view have nothing in common."""

    def __init__(self, share: float) -> None:
        super().__init__(
            what=f"the fields of view do not overlap: {share:.1%} of the smaller one lies in the other",
            why="by their headers the scans show different places of the room or of the body",
            fix="check that both are of one part of the body; if only their positions are wrong, "
            "add --start centres (Python: start='centres')",
        )


class OtherFieldOfViewError(InputError):
    """One of two scans shows far more of the body than the other."""

    def __init__(self, moving: float, fixed: float, most: float) -> None:
        super().__init__(
            what=f"the fields of view do not match: {moving:,.2f} ml of the moving scan, {fixed:,.2f} ml of the fixed "
            f"one, more than {most:g} times apart",
            why="something that looks like a small scan is found in nearly any large one",
            fix="name scans of about the same part of the body, or cut the larger one down to it before",
        )


class SimilarityTooLowError(InputError):
    """The scans are hardly more alike where the affine lays them than where chance would."""

    def __init__(self, above_chance: float, least: float) -> None:
        super().__init__(
            what=f"the scans do not match: from chance (0) to complete agreement (1) they come to {above_chance:.3f}, "
            f"below {least:g}",
            why="so little is usual between different organs; a map between them would mean nothing",
            fix="check that both scans show the same part of the body; if only the positions in their headers are "
            "wrong, add --start centres",
        )


class FoldingError(InputError):
    """The map is not invertible."""

    def __init__(self, share: float, most: float) -> None:
        super().__init__(
            what=f"the deformation folds at {share:.2%} of the voxels, more than {most:.1%}",
            why="there it maps two places onto one, which no tissue does",
            fix="check that both scans show the same part of the body, or try another --similarity",
        )


class NothingToCompareError(InputError):
    """Labels of the fixed scan, but none to lay over them."""

    def __init__(self) -> None:
        super().__init__(
            what="--fixed-labels was given without --labels",
            why="the labels of the moving scan are what is compared with those of the fixed one",
            fix="add --labels with the labels of the moving scan, or leave out --fixed-labels",
        )


class NotARegistrationError(InputError):
    """What is to be replaced was not written by leanseg register."""

    def __init__(self, out: Path, path: Path) -> None:
        super().__init__(
            what=f"{out} holds {path.name}, which is no part of an earlier registration",
            why="--overwrite replaces the output folder as a whole, and only an earlier registration is meant to go",
            fix="choose another output folder, or empty this one yourself",
        )


class OutputHoldsScanError(InputError):
    """Replacing the output folder would delete what is to be registered."""

    def __init__(self, out: Path, inside: Path) -> None:
        super().__init__(
            what=f"{out}: {inside} is in this folder",
            why="the output folder is replaced as a whole, and what is to be registered would be deleted",
            fix="choose an output folder of its own",
        )
