"""The cases of a page, worst first: each in three planes, as many as fit into its size."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leanseg.errors import InputError
from leanseg.evaluation.cohort import CaseResult, Cohort, read_pair, read_scan
from leanseg.evaluation.meaning import judged
from leanseg.evaluation.page.markup import Html, element, join
from leanseg.evaluation.page.pictures import planes_picture
from leanseg.evaluation.page.wording import count, millimetres, noun_of, share
from leanseg.evaluation.planes import cut_planes, grey_window
from leanseg.progress import Progress

MOST_BYTES = 8_000_000
MOST_CASES = 100  # each is read again; a longer page would not be looked through
_OPEN = 3
_MOST_NAMES = 12  # targets named below a picture; of more, those with the lowest Dice
_NO_SCAN = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Gallery:
    """The cards of the cases shown, and their places in the page: case name -> id."""

    cards: Html
    places: Mapping[str, str]


def gallery_of(cohort: Cohort, progress: Progress) -> Gallery:
    """Draw the worst cases of `cohort`, up to `MOST_CASES` and `MOST_BYTES`; one case is in memory at a time."""
    cards: list[Html] = []
    places: dict[str, str] = {}
    ranked = cohort.ranked()[:MOST_CASES]
    room = MOST_BYTES
    for rank, result in progress.track(enumerate(ranked, start=1), "Drawing cases", total=len(ranked)):
        card = _card(result, cohort, rank)
        room -= len(card.encode())
        if room < 0:
            break
        cards.append(card)
        places[result.pair.name] = _place(rank)
    return Gallery(join(cards), places)


def _place(rank: int) -> str:
    return f"case-{rank}"


def _card(result: CaseResult, cohort: Cohort, rank: int) -> Html:
    remarks: list[str] = []
    picture = _picture(result, cohort, _place(rank), remarks)
    return element(
        "details",
        element(
            "summary",
            element("h3", element("span", result.pair.name, class_="name")),
            element("span", "Dice ", element("b", share(result.foreground["dice"])), class_="figure"),
        ),
        picture,
        *(element("p", remark, class_="remark") for remark in remarks),
        element("dl", *_scores(result, cohort), class_="scores"),
        class_="case",
        id=_place(rank),
        open=rank <= _OPEN,
    )


def _picture(result: CaseResult, cohort: Cohort, key: str, remarks: list[str]) -> Html:
    prediction, reference = read_pair(result.pair)
    scan = None
    if result.pair.image is not None:
        try:
            scan = read_scan(result.pair.image, reference)
        except InputError as error:
            remarks.append(f"Shown without its scan: {error.what}.")
    maps = judged(prediction.array, reference.array, cohort.ignore)
    planes = cut_planes(*maps, reference.geometry.affine, cohort.targets, scan)
    return planes_picture(planes, _NO_SCAN if scan is None else grey_window(scan), key, noun_of(cohort))


def _scores(result: CaseResult, cohort: Cohort) -> Iterator[Html]:
    """Return the Dice of each target, then the HD95 of the case, as terms and values."""
    dice = {name: scores["dice"] for name, scores in result.scores.items()}
    counted = {name: value for name, value in dice.items() if math.isfinite(value)}
    shown = sorted(sorted(counted, key=counted.__getitem__)[:_MOST_NAMES], key=list(counted).index)
    for name in shown:
        yield _score(name, share(counted[name]))
    if len(counted) > len(shown):
        least = max(counted[name] for name in shown)
        yield _score(count(len(counted) - len(shown), f"more {noun_of(cohort)}"), f"{share(least)} or better")
    yield _score("HD95", f"{millimetres(result.foreground['hd95_mm'])} mm")


def _score(term: str, value: str) -> Html:
    return element("div", element("dt", element("span", term, class_="name")), element("dd", value))
