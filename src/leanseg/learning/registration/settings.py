"""How a registration is done: few numbers, the same for every organ."""

from dataclasses import dataclass

from leanseg.learning.registration.similarity import Similarity


@dataclass(frozen=True)
class Settings:
    """similarity: what is maximised. device: of torch, such as "cpu" or "cuda".

    smoothness: factor on the weight of the mean squared derivative of the velocity (diffusion regulariser). voxels: the
    most at which two scans are compared; larger ones are compared at a coarser resolution. steps: of the velocity's
    optimisation at each of the three resolutions, coarse to fine, at most.
    """

    similarity: Similarity = Similarity.AUTO
    device: str = "cpu"
    smoothness: float = 1.0
    voxels: int = 1_500_000
    steps: tuple[int, int, int] = (80, 60, 40)
