"""Whether a data set is the one that a recipe was published with."""

from leanseg.datasets.cases import Dataset
from leanseg.errors import InputError
from leanseg.plans.recipe import Recipe

# What channels are commonly called, by their first letters; other names tell nothing.
_NAMED = {"CT": "CT", "MR": "MR", "T1": "MR", "T2": "MR", "FLAIR": "MR", "ADC": "MR"}


class OtherDatasetError(InputError):
    """The recipe was published with another data set."""

    def __init__(self, recipe: Recipe, dataset: Dataset, differences: list[str], fix: str) -> None:
        super().__init__(
            what=f"recipe {recipe.name} is for {recipe.data.name}, and {dataset.name} has {'; '.join(differences)}",
            why="its network, its values and the numbers to compare with are those of that data set",
            fix=fix,
        )


class RecipeNeedsUnlabelledError(InputError):
    """The experiment learned from unlabelled scans, too, and none are named."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(
            what=f"recipe {recipe.name} registers labelled scans to unlabelled ones, and none are named",
            why="a part of its training samples comes from their shapes",
            fix=f"add --unlabelled DIR, a folder of scans of the same kind; the recipe had {recipe.data.unlabelled}",
        )


class RecipeWithoutUnlabelledError(InputError):
    """Unlabelled scans are named, and the experiment used none."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(
            what=f"--unlabelled is given, and recipe {recipe.name} does not use unlabelled scans",
            why="a recipe is followed as it was published",
            fix="leave out --unlabelled, or plan without a recipe",
        )


def refuse_other_unlabelled(recipe: Recipe, *, named: bool) -> None:
    """Raise an InputError where unlabelled scans are named and the recipe has no use for them, or the other way."""
    wanted = recipe.learned().augmentation.registration is not None
    if wanted and not named:
        raise RecipeNeedsUnlabelledError(recipe)
    if named and not wanted:
        raise RecipeWithoutUnlabelledError(recipe)


def refuse_other_dataset(recipe: Recipe, dataset: Dataset, *, rehearsal: bool = False) -> list[str]:
    """Compare channels, classes, regions and the number of labelled cases; return what is only worth a note.

    rehearsal: a scaled-down run does not need all cases, so their number is only noted.
    Raises OtherDatasetError, which names every difference.
    """
    differences = _differences(recipe, dataset)
    too_few = _other_number(recipe, dataset)
    if differences:
        fix = f"name that data set, or plan without a recipe: leanseg plan DATASET -o PLAN; it is: {recipe.data.layout}"
        raise OtherDatasetError(recipe, dataset, [*differences, *too_few], fix)
    if too_few and not rehearsal:
        fix = "give exactly the published cases, or rehearse with those there are: --scale 0.01"
        raise OtherDatasetError(recipe, dataset, too_few, fix)
    return [f"{dataset.name} has {text}: its scores are not to be compared with the published ones" for text in too_few]


def _differences(recipe: Recipe, dataset: Dataset) -> list[str]:
    expected = recipe.data
    found = []
    if len(dataset.channels) != len(expected.channels.value):
        found.append(
            f"{_counted(dataset.channels, 'channel')} instead of {_counted(expected.channels.value, 'channel')}"
        )
    modality = expected.modality.value
    if others := [name for name in dataset.channels if _modality(name) not in (modality, None)]:
        found.append(f"the channel {', '.join(others)}, which is not {modality}")
    classes = len(dataset.labels) - 1
    if classes != expected.classes.value:
        found.append(f"{classes} classes beside the background instead of {expected.classes.value}")
    if len(dataset.regions) != len(expected.regions.value):
        wanted = _counted(expected.regions.value, "region")
        found.append(f"{_counted(tuple(dataset.regions), 'region')} instead of {wanted}")
    return found


def _other_number(recipe: Recipe, dataset: Dataset) -> list[str]:
    wanted = recipe.data.cases.value
    if not wanted or len(dataset.cases) in wanted:
        return []
    return [f"{len(dataset.cases)} labelled cases instead of {' or '.join(map(str, wanted))}"]


def _modality(channel: str) -> str | None:
    name = channel.strip().upper()
    return next((modality for start, modality in _NAMED.items() if name.startswith(start)), None)


def _counted(names: tuple[str, ...], noun: str) -> str:
    if not names:
        return f"no {noun}s"
    return f"{len(names)} {noun}{'s' * (len(names) != 1)} ({', '.join(names)})"
