"""The page of a comparison, in the style of every report of ours."""

import base64
from collections.abc import Iterator, Mapping

from leanseg.evaluation.page.frame import framed
from leanseg.evaluation.page.markup import Html, element, join
from leanseg.evaluation.page.wording import count, isolated
from leanseg.evaluation.runs.comparison import Comparison, Part
from leanseg.evaluation.runs.findings import cautions_of
from leanseg.evaluation.runs.run import Run
from leanseg.evaluation.runs.tables import dice_table, difference_table, run_table

_HEADINGS = {
    "convergence": ("Convergence", (
        "Dice on the way is that of the validation cases that there was time for, with the averaged weights; the "
        "scores above are those of the deployed model on all of them. A loss is the mean over a part of the way."
    )),
    "scaling": ("Dice against cost", (
        "Bars are 95\u00a0% intervals over cases. A thin line joins runs that differ in one option of their network. "
        "Seconds are those of prediction on the machine that judged, reading and writing included."
    )),
    "ranking": ("Who leads, by the weights", (
        "The accuracy-efficiency score of E2ENet is a1 \u00b7 Dice / highest Dice + a2 \u00b7 (fewest parameters / "
        "parameters + fewest MACs / MACs). The paper does not state its weights. Only their ratio decides who leads, "
        "so it is swept: to the left efficiency decides, to the right accuracy. The strip above the scores has the "
        "colour of the run that leads. Scores change when a run is added or left out."
    )),
    "differences": ("Differences", (
        "Each case is its own control. A filled dot holds for all pairs together (Bonferroni), a hollow one may be "
        "chance; the bar is the 95\u00a0% interval of the pair alone."
    )),
}  # fmt: skip


def page_of(comparison: Comparison, drawn: Mapping[int, Mapping[str, Html]]) -> str:
    """Return the comparison as HTML. drawn: the pictures of each part by their names, by its number."""
    parts = comparison.parts
    sections: dict[str, Html | None] = {
        "Summary": _summary(comparison),
        "Runs": run_table(comparison.runs),
    }
    for number, part in enumerate(parts):
        suffix = f" ({number + 1})" if len(parts) > 1 else ""
        sections |= {f"{title}{suffix}": body for title, body in _sections(part, drawn[number])}
    sections["Masks"] = _masks([run for run in comparison.runs if run.masks is not None])
    return framed(
        f"Comparison of {count(len(comparison.runs), 'run')}",
        "Comparison of runs",
        {isolated(run.name): str(run.folder) for run in comparison.runs},
        sections,
        ("runs.csv", "runs.json"),
    )


def _summary(comparison: Comparison) -> Html:
    parts = comparison.parts
    told: list[Html] = []
    for number, part in enumerate(parts):
        lead = f"({number + 1}) {part.group.title}." if len(parts) > 1 else f"{part.group.title}."
        told.append(element("p", lead, class_="lead"))
        told.append(element("ul", *(element("li", sentence) for sentence in part.findings), class_="findings"))
    cautions = [element("li", sentence) for sentence in cautions_of([part.group for part in parts])]
    beside = element("div", element("h3", "To keep in mind"), element("ul", *cautions, class_="cautions"))
    return element("div", element("div", *told), beside if cautions else None, class_="account")


def _sections(part: Part, drawn: Mapping[str, Html]) -> Iterator[tuple[str, Html]]:
    """Yield the sections of one group: scores, then its pictures with a note each."""
    scores = dice_table(part.group.runs)
    if scores is not None:
        yield "Scores", scores
    for name, picture in drawn.items():
        heading, note = _HEADINGS[name]
        chart = element("div", picture, class_="wide-chart", role="region", aria_label=heading, tabindex=0)
        below = element("h3", "By pair and class") if name == "differences" else None
        table = difference_table(part.differences) if name == "differences" else None
        yield heading, join([element("p", note, class_="note"), chart, below, table])


def _masks(runs: list[Run]) -> Html | None:
    """Show the pictures of sparse trainings as they lie in the runs."""
    figures = []
    for run in runs:
        assert run.masks is not None
        address = f"data:image/svg+xml;base64,{base64.b64encode(run.masks.read_bytes()).decode('ascii')}"
        caption = element("figcaption", element("span", run.name, class_="name"))
        text = f"Shares of kernels over the training of {isolated(run.name)}"
        figures.append(element("figure", caption, element("img", src=address, alt=text, class_="paper")))
    if not figures:
        return None
    note = (
        "Shares of kernels that are kept, by flow into each node where the network fuses several (E2ENet's figure of "
        "kept connections); dots are at 0, 10, 40 and 100\u00a0% of the way. Survival: of the kernels alive at the "
        "start those never pruned since. Exploration: kernels that were alive at any time."
    )
    return join([element("p", note, class_="note"), element("div", *figures, class_="charts")])
