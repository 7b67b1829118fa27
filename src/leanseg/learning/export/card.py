"""The model card: what a person should know before using a package."""

from collections.abc import Mapping

from leanseg import __version__
from leanseg.learning.export.masks import Kept
from leanseg.plans import Data, Plan

_CHOSEN = (
    "The validation cases also chose which weights of the training to keep, so the figures are slightly optimistic; "
    "only\ncases that training never saw tell more."
)
_UNSEEN = (
    "No fold has trained on these cases or chosen its weights by them; only whether to average scores or\nweights was."
)
_ELSEWHERE = (
    "They hold for scans like those of the data set: other scanners,\nprotocols, ages and diseases were not tested."
)


def write_card(
    plan: Plan,
    parameters: int,
    validation: Mapping[str, str],
    *,
    networks: int = 1,
    unseen: bool = False,
    kept: Kept | None = None,
) -> str:
    """Return the card as Markdown.

    validation: sentences or figures to list, by name; empty when not validated. networks: how many there are.
    unseen: whether the figures come from cases that had no part in the training at all. kept: of sparse networks.
    """
    network = "Network" if networks == 1 else f"{networks} networks whose scores are averaged"
    figures = "\n".join(f"- {name}: {figure}" for name, figure in validation.items()) or "- not validated"
    caveat = f"\n{_UNSEEN if unseen else _CHOSEN} {_ELSEWHERE}\n" if validation else ""
    spacing = " x ".join(f"{size:g}" for size in plan.preprocessing.spacing or ())
    grid = f"{spacing} mm along {plan.preprocessing.orientation}" if spacing else "every scan's own"
    tile = " x ".join(map(str, plan.inference.tile))
    sparse = f"\n- Sparse: {kept.sentence()}" if kept else ""
    reasons = "\n".join(f"- {sentence}" for sentence in plan.explanation)
    return f"""# {plan.data.name}: {plan.network.name}

**Not a medical device.** For research. Whoever uses it must check it on data of their own.

- Input: {", ".join(plan.data.channels)} (one 3D scan each, on one grid)
- {network}: {plan.network.name} {dict(plan.network.options) or ""}, {parameters:,} parameters{sparse}
- Grid: {grid}, tiles of {tile} voxels
- Made by leanseg {__version__}

{_targets(plan.data)}

## How good it is
{figures}
{caveat}
## Why it is as it is
{reasons or "- the plan gives no reasons"}
"""


def _targets(data: Data) -> str:
    """Return what the values of a label map mean, as tables."""
    rows = ["| value | label |", "|---|---|", *(f"| {value} | {name} |" for name, value in data.labels.items())]
    if data.regions:
        rows += ["", "The network finds regions, which may overlap; in label maps later ones lie over earlier ones:"]
        rows += ["", "| region | label values | written as |", "|---|---|---|"]
        for name, region in data.regions.items():
            rows.append(f"| {name} | {', '.join(map(str, region.values))} | {region.written} |")
    if data.ignore is not None:
        rows += ["", f"Voxels of the value {data.ignore} in the label files had no part in training and scores."]
    return "\n".join(rows)
