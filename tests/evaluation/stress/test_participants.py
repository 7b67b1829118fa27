import pytest

from leanseg.datasets import Case
from leanseg.datasets.documents import DocumentError
from leanseg.evaluation.stress.participants import NoParticipantError, read_groups

AGES = (20, 30, 40, 50, 60, 70)
CASES = [Case(f"case{number}", (), subject=f"{number:02d}") for number in range(6)]


def write(path, rows):
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path):
    sexes = ("F", "M", "F", "n/a", "M", "F")
    rows = [(f"sub-{number:02d}", age, sex, "one") for number, (age, sex) in enumerate(zip(AGES, sexes, strict=True))]
    return write(
        tmp_path / "participants.tsv", [("participant_id", "age", "sex", "site"), *rows, ("sub-99", 1, "F", "x")]
    )


def grouped(groups, column):
    return {group.value: group.cases for group in groups if group.column == column}


def test_numbers_are_grouped_by_their_thirds(table):
    assert grouped(read_groups(table, CASES), "age") == {
        "20 to 30": ("case0", "case1"),
        "40 to 50": ("case2", "case3"),
        "60 to 70": ("case4", "case5"),
    }


def test_words_are_grouped_as_they_are_and_what_is_unknown_is_in_no_group(table):
    assert grouped(read_groups(table, CASES), "sex") == {"F": ("case0", "case2", "case5"), "M": ("case1", "case4")}


def test_a_column_that_says_the_same_of_all_makes_no_groups(table):
    assert grouped(read_groups(table, CASES), "site") == {}


def test_a_case_is_found_by_its_own_name_too(tmp_path):
    table = write(tmp_path / "p.tsv", [("participant_id", "sex"), ("case0", "F"), ("case1", "M")])
    groups = read_groups(table, [Case("case0", ()), Case("case1", ()), Case("case7", ())])
    assert grouped(groups, "sex") == {"F": ("case0",), "M": ("case1",)}


def test_few_different_numbers_are_groups_of_their_own(tmp_path):
    table = write(tmp_path / "p.tsv", [("participant_id", "tesla"), *((f"case{n}", (1.5, 3)[n % 2]) for n in range(6))])
    assert set(grouped(read_groups(table, CASES), "tesla")) == {"1.5", "3"}


def test_a_column_of_names_makes_no_groups(tmp_path):
    cases = [Case(f"case{number}", ()) for number in range(20)]
    table = write(
        tmp_path / "p.tsv", [("participant_id", "initials"), *((case.name, f"x{case.name}") for case in cases)]
    )
    assert read_groups(table, cases) == ()


def test_a_table_without_any_of_the_cases_is_refused(tmp_path):
    table = write(tmp_path / "p.tsv", [("participant_id", "sex"), ("sub-77", "F")])
    with pytest.raises(NoParticipantError) as refused:
        read_groups(table, CASES)
    assert "'77'" in refused.value.what
    assert "'case0'" in refused.value.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("age\tsex\n1\tF\n", "age, sex"),
        ("participant_id\tage\nsub-00\n", "1 cells where the first line has 2"),
        ("participant_id\tage\nsub-00\t3\n00\t4\n", "occurs twice"),
        ("participant_id\tage\tage\nsub-00\t3\t4\n", "participant_id, age, age"),
        ("participant_id\tage\n", "has no rows"),
    ],
)
def test_a_broken_table_is_refused(tmp_path, text, what):
    path = tmp_path / "p.tsv"
    path.write_text(text)
    with pytest.raises((DocumentError, NoParticipantError)) as refused:
        read_groups(path, CASES)
    assert what in refused.value.what
