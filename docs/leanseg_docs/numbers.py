"""Numbers that the planner reckons with: a page asks for one inside a sentence, as {{ wanted steps }}."""


def numbers() -> dict[str, str]:
    """Return name -> the number as a sentence has it."""
    from leanseg.learning.costing import memory as model
    from leanseg.learning.planning import memory, steps, tiles

    return {
        "batch": f"{steps._BATCH}",
        "context": f"1/{round(1 / steps._LEAST_CONTEXT)}",
        "copies of weights": f"{model._COPIES}",
        "copies to predict": f"{model._WEIGHT_COPIES}",
        "engines": f"{model._ENGINES}",
        "fewest steps": f"{steps._FEWEST_STEPS:,}",
        "fragmentation": f"{model._FRAGMENTATION:g}",
        "largest batch": f"{steps._LARGEST_BATCH}",
        "libraries to predict": _gigabytes(model._PREDICTION_BASE),
        "libraries to train": _gigabytes(model._TRAINING_BASE),
        "overlap": f"{tiles._OVERLAPS[0]:.0%}",
        "prediction default": _gigabytes(tiles._DEFAULT_RAM),
        "reserve": f"{1 - steps.TRAINING_SHARE:.0%}",
        "smallest patch": f"{steps._SMALLEST_FOR_TIME:,}",
        "staged batches": f"{model._STAGED_BATCHES}",
        "usable": f"{memory._USABLE_RAM:.0%}",
        "wanted steps": f"{steps._WANTED_STEPS:,}",
        "whole steps": f"{steps._WHOLE_STEPS:,}",
    }


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:g} GB"
