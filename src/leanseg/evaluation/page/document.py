"""The page of an evaluation: what its sections hold, from the summary to what the numbers mean."""

from dataclasses import replace
from pathlib import Path

from leanseg.evaluation.cohort import Cohort
from leanseg.evaluation.conventions import CONVENTIONS
from leanseg.evaluation.origin import Origin
from leanseg.evaluation.page.distribution import distribution
from leanseg.evaluation.page.frame import framed
from leanseg.evaluation.page.gallery import MOST_BYTES, Gallery, gallery_of
from leanseg.evaluation.page.makers import makers_of
from leanseg.evaluation.page.markup import Html, element, join
from leanseg.evaluation.page.score_tables import case_table, target_table
from leanseg.evaluation.page.sentences import account_of
from leanseg.evaluation.page.summary import summary
from leanseg.evaluation.page.wording import count, isolated, noun_of
from leanseg.progress import Progress

_TERMS = {"hd95": "HD95", "nsd": "NSD"}


def write_page(
    cohort: Cohort,
    path: Path,
    *,
    predictions: Path,
    references: Path,
    seed: int,
    progress: Progress,
    origin: Origin | None = None,
) -> None:
    """Write the report on `cohort` to `path`. `predictions` and `references` are named in it; `seed` as for evaluate.

    origin: of predictions that were made to be judged, which the page tells.
    Cases are read again for their pictures, one at a time. Raises an InputError where one cannot be read any more.
    """
    path.write_text(page(cohort, predictions, references, seed, progress, origin), encoding="utf-8")


def page(
    cohort: Cohort,
    predictions: Path,
    references: Path,
    seed: int,
    progress: Progress,
    origin: Origin | None = None,
) -> str:
    """Return the report on `cohort` as HTML."""
    gallery = gallery_of(cohort, progress)
    account = account_of(cohort, makers_of([result.pair for result in cohort.results]), seed)
    sources = {"Predictions": str(predictions), "References": str(references)}
    if origin is not None:
        account = replace(
            account, judged=(*origin.judged, *account.judged), cautions=(*origin.cautions, *account.cautions)
        )
        sources = dict(origin.sources)
    sections = {
        "Summary": summary(cohort, account),
        f"Scores by {noun_of(cohort)}": target_table(cohort),
        "Distribution": distribution(cohort, gallery.places),
        "Worst cases first": _pictures(gallery, cohort),
        "All cases": case_table(cohort, gallery.places),
        "How to read this": _conventions(),
    }
    return framed(
        f"Evaluation of {isolated(predictions.resolve().name)}",
        origin.heading if origin else "Evaluation report",
        sources,
        sections,
        ("metrics.csv", "metrics.json"),
    )


def _pictures(gallery: Gallery, cohort: Cohort) -> Html | None:
    if not gallery.places:
        return _no_pictures(cohort)
    which = _which(len(gallery.places), cohort)
    scans = any(result.pair.image is not None for result in cohort.results)
    return join(
        [
            element(
                "p",
                f"{which}, by the mean of their Dice. Each plane is the slice with most foreground, as a radiologist "
                "hangs it: the patient's right is on the left. What is missed lies within the solid line of the "
                "reference, what is added within the dashed line of the prediction.",
                class_="note",
            ),
            element(
                "div",
                _layers(several=len(cohort.targets) > 1, noun=noun_of(cohort), scans=scans),
                element("button", "Open all cases", type="button", class_="open-all", hidden=True),
                class_="controls",
            ),
            element(
                "p",
                f"Of {count(len(gallery.places), 'case')} with pictures only those left open are printed",
                element("span", class_="printed"),  # the script tells how many
                ".",
                class_="note on-paper",
            ),
            element("div", gallery.cards, class_="cases"),
        ]
    )


def _no_pictures(cohort: Cohort) -> Html | None:
    """Say why there are no pictures, where cases could be shown."""
    if not cohort.ranked():
        return None
    reason = f"the picture of the worst case alone takes more than the {MOST_BYTES // 10**6} MB that all may take"
    return element("p", f"No case is shown: {reason}.", class_="note")


def _which(shown: int, cohort: Cohort) -> str:
    """Tell which cases are shown: the judged ones, as far as Dice is counted and there is room."""
    ranked, judged = len(cohort.ranked()), len(cohort.results) - len(cohort.failures)
    cases = ("judged case" if ranked == 1 else "judged cases") + (
        "" if ranked == judged else " in which Dice is counted"
    )
    if shown < ranked:
        return f"The worst {shown:,} of {ranked:,} {cases}"
    return f"All {ranked:,} {cases}" if ranked > 1 else f"The only {cases}"


def _layers(*, several: bool, noun: str, scans: bool) -> Html:
    """Return the legend of the pictures; the script gives each entry its box to hide and show the layer."""
    layers = {
        **({"scan": "scan"} if scans else {}),
        "reference": "reference",
        "prediction": "prediction",
        "found": "found",
        "missed": "missed",
        "added": "added",
        **({"wrong": f"wrong {noun}"} if several else {}),
    }
    entries = (
        element("li", element("label", element("span", class_=f"swatch {layer}"), text), data_layer=layer)
        for layer, text in layers.items()
    )
    return element("ul", *entries, class_="layers", aria_label="Layers of the pictures")


def _conventions() -> Html:
    entries = (
        element("div", element("dt", _TERMS.get(key, key.replace("_", " ").capitalize())), element("dd", text))
        for key, text in CONVENTIONS.items()
    )
    return element("details", element("summary", "What each number means"), element("dl", *entries), class_="terms")
