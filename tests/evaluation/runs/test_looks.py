import pytest

from leanseg.evaluation.page.vector_figure import empty_figure, to_svg
from leanseg.evaluation.runs.discovery import MOST_RUNS
from leanseg.evaluation.runs.looks import WIDTH, draw_legend, legend_height, looks_of


def test_no_two_runs_look_alike():
    looks = looks_of([str(number) for number in range(MOST_RUNS)])
    assert len(set(looks.values())) == MOST_RUNS
    first = list(looks.values())[:8]
    assert len({look.colour for look in first}) == len({look.marker for look in first}) == 8


@pytest.mark.parametrize("name", ["short", "a name of thirty letters and on", "x" * 80])
def test_the_legend_names_every_run(name):
    looks = looks_of([f"{number} {name}" for number in range(11)])
    figure = empty_figure(WIDTH, legend_height(looks) + 20)
    draw_legend(figure, looks)
    svg = to_svg(figure, "key", "title", "text", names=list(looks), points=[])
    for each in looks:
        assert (each if len(each) <= 46 else each[:45]) in svg
