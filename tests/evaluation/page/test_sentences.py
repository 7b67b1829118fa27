import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.evaluation.page.makers import Maker
from leanseg.evaluation.page.sentences import account_of, dice_and_volume, relation_of
from leanseg.evaluation.statistics import mean_intervals

MAKER = Maker("3f2a9c017be4d1", "openvino 2026.4.1", "bf16", "0.1.0")
NO_MAKERS = Counter()


def told(cohort, makers=NO_MAKERS):
    account = account_of(cohort, makers, seed=0)
    return [*account.judged, *account.found, *account.cautions]


def text_of(cohort, makers=NO_MAKERS):
    return "\n".join(told(cohort, makers)).replace("\u00a0", " ")


@st.composite
def cohorts(draw):
    """What `new_cohort` needs: any number of cases and classes, failures, and classes that are not there."""
    cases, classes = draw(st.integers(1, 14)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dice = rng.choice([rng.uniform(0, 1), 0.0, 0.7, 1.0, np.nan], (cases, classes), p=[0.5, 0.1, 0.1, 0.1, 0.2])
    dice[draw(st.booleans()) * np.ones(cases, dtype=bool)] += rng.uniform(-0.01, 0)
    errors = rng.normal(draw(st.sampled_from([-0.2, 0.0, 0.3])), draw(st.sampled_from([0.0, 0.1])), dice.shape)
    volumes = rng.choice([0.0, 1.0, rng.uniform(1, 1e6)], dice.shape)
    numbers = st.frozensets(st.integers(0, cases - 1))
    failed = draw(numbers)
    return {
        "dice": np.clip(dice, 0, 1),
        "errors": errors,
        "volumes": volumes,
        "failed": failed,
        "unread": draw(numbers) - failed,
        "ignored": tuple(map(Path, draw(st.lists(st.sampled_from(["x.nii", "y.nii"]), max_size=2)))),
    }


@given(values=cohorts())
@settings(deadline=None, max_examples=60)
def test_every_cohort_gives_whole_sentences_without_nonsense(new_cohort, values):
    for sentence in told(new_cohort(**values)):
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert not re.search(r"\b(nan|inf|None(?! of the))\b|\u2013", sentence)
        assert not re.search(
            r"(?<![\d.,])1 (cases|classes|predictions)\b|\b[02-9]+ (case|class|prediction)\b", sentence
        )
        assert "  " not in sentence


@given(values=cohorts())
@settings(deadline=None, max_examples=50)
def test_the_numbers_told_are_those_of_the_cohort(new_cohort, values):
    cohort = new_cohort(**values)
    text = text_of(cohort)
    counted = [r.foreground["dice"] for r in cohort.results if r.scores and math.isfinite(r.foreground["dice"])]
    found = re.search(r"^(?:The mean Dice over (\d+) cases?|Dice in the only case).* is (\d\.\d+)", text, re.MULTILINE)
    if not counted:
        assert "Dice is counted in no case" in text
    else:
        assert int(found[1] or 1) == len(counted)
        assert float(found[2]) == pytest.approx(np.mean(counted), abs=0.00051)
    judged = [r.foreground["dice"] for r in cohort.results if r.failure is None]
    judged = [dice for dice in judged if math.isfinite(dice)]
    if len(judged) > 1:
        found = re.search(r"^(None|\d+) of the (\d+) judged cases.* with (\d\.\d+)\.$", text, re.MULTILINE)
        low = 0 if found[1] == "None" else int(found[1])
        assert (low, int(found[2])) == (sum(round(dice, 3) < 0.7 for dice in judged), len(judged))
        assert float(found[3]) == pytest.approx(min(judged), abs=0.00051)
        assert (float(found[3]) < 0.7) == (low > 0)


@given(values=cohorts())
@settings(deadline=None, max_examples=50)
def test_no_claim_about_all_cases_rests_on_fewer_than_ten(new_cohort, values):
    cohort = new_cohort(**values)
    judged = [result for result in cohort.results if result.failure is None]
    most = max(sum(math.isfinite(r.scores[name]["dice"]) for r in judged) for name in cohort.targets)
    text = text_of(cohort)
    if most < 10:
        assert not re.search("comes? out too|No error of volume|Dice (rises|falls|shows no relation)", text)
    if cohort.foreground["dice"].n < 2:
        assert "95 %" not in text


def test_what_was_judged_is_told_with_failures(new_cohort):
    dice = np.full((4, 2), 0.9)
    assert told(new_cohort(dice))[0] == "All 4 cases were judged, for 2 classes: class 1 and class 2."
    assert told(new_cohort(dice, failed={1}, unread={2}))[:3] == [
        "2 of 4 cases could be judged, for 2 classes: class 1 and class 2.",
        "1 case failed and counts with the worst score for each class of the reference.",
        "1 case counts nowhere, because the reference cannot be read.",
    ]
    nothing = new_cohort(dice, failed={0, 1, 2, 3})
    assert told(nothing)[0] == "Each of the 4 cases failed; it was to be judged for 2 classes: class 1 and class 2."
    assert told(new_cohort(dice[:1, :1]))[0] == "One case was judged, for 1 class: class 1."


def test_makers_are_told_as_far_as_sidecars_know_them(new_cohort):
    cohort = new_cohort(np.full((3, 1), 0.9))
    maker = "package 3f2a9c017be4, openvino 2026.4.1 in bf16, leanseg 0.1.0"
    assert told(cohort, Counter({MAKER: 3}))[1] == f"The predictions were made by {maker}, as the sidecars say."
    assert told(cohort, Counter({MAKER: 2}))[1] == f"2 of 3 predictions were made by {maker}, as the sidecars say."
    other = Maker("77", "onnxruntime", "fp32", "0.1.0")
    several = told(cohort, Counter({MAKER: 2, other: 1}))[1]
    assert several.startswith("The predictions were made in 2 different ways, as the sidecars say: 2 by package 3f2a")
    assert "1 by package 77, onnxruntime in fp32" in several


def test_the_best_and_the_worst_class_are_told_unless_they_look_the_same(new_cohort):
    spread = np.linspace(-0.05, 0.05, 12)[:, None]
    apart = text_of(new_cohort(np.array([0.9, 0.5, 0.7]) + spread))
    assert "best mean Dice is that of class 1, 0.900" in apart
    assert "the worst that of class 2, 0.500" in apart
    assert "overlap" not in apart
    assert "their intervals overlap." in text_of(new_cohort(np.array([0.9, 0.89]) + spread))
    assert "The best Dice is that of class 1, 0.900; the worst that of class 2, 0.500." in text_of(
        new_cohort([[0.9, 0.5]])
    )
    assert "Both classes have the same mean Dice, 0.900." in text_of(new_cohort(np.array([0.9, 0.9002]) + spread))


def test_an_error_of_volume_is_told_where_its_interval_leaves_zero_out(new_cohort):
    dice, noise = np.full((12, 3), 0.9), np.tile([-0.02, 0.02], 6)[:, None]
    text = text_of(new_cohort(dice, errors=np.array([0.1, -0.2, 0.0]) + noise))
    assert "The volume of class 1 comes out too large: +10.0 % of that in the reference on average" in text
    assert "The volume of class 2 comes out too small: \u221220.0 %" in text
    assert "volume of class 3" not in text
    assert "No error of volume shows" in text_of(new_cohort(dice, errors=np.zeros((12, 3)) + noise))


def test_failed_cases_do_not_make_a_volume_look_too_small(new_cohort):
    dice, noise = np.full((24, 1), 0.9), np.tile([-0.02, 0.02], 12)[:, None]
    text = text_of(new_cohort(dice, errors=noise, failed=set(range(12))))
    assert "No error of volume shows in the judged cases" in text


def test_of_many_errors_of_volume_the_largest_are_told_and_the_rest_is_counted(new_cohort):
    dice, noise = np.full((12, 20), 0.9), np.tile([-0.02, 0.02], 6)[:, None]
    text = text_of(new_cohort(dice, errors=np.full((12, 20), 0.3) + noise))
    assert text.count("comes out too large:") == 4
    assert "on average (99.75 % interval" in text
    assert "16 more of 20 classes come out too large or too small." in text


def test_of_many_classes_none_comes_out_too_large_by_chance(new_cohort):
    errors = np.random.default_rng(0).normal(0, 0.1, (30, 40))
    lows, highs = mean_intervals(errors)
    assert ((np.round(lows, 3) > 0) | (np.round(highs, 3) < 0)).any()  # as one interval in twenty does
    text = text_of(new_cohort(np.full(errors.shape, 0.9), errors=errors))
    assert "No error of volume shows: to a tenth of a percent the 99.87 % interval" in text
    assert "holds 0 for every one of 40 classes." in text
    assert "comes out too" not in text


def test_errors_too_small_to_be_shown_hold_0_to_a_tenth_of_a_percent(new_cohort):
    text = text_of(new_cohort(np.full((12, 1), 0.9), errors=np.full((12, 1), 0.0004)))
    assert "to a tenth of a percent the 95 % interval of the mean difference holds 0 for the only class" in text


def test_the_tolerance_that_was_asked_for_is_told_even_where_a_larger_one_is_measured(new_cohort):
    assert "Surface Dice at 1 mm" in text_of(new_cohort(np.full((3, 1), 0.9), tolerance=1.0))
    assert "Surface Dice at 2 mm" in text_of(new_cohort(np.full((3, 1), 0.9), tolerance=2.0))


def test_a_failed_case_without_a_class_in_its_reference_is_in_no_mean(new_cohort):
    dice = np.full((4, 1), 0.9)
    dice[1] = np.nan
    text = text_of(new_cohort(dice, failed={1}))
    assert "1 case failed and counts nowhere, because the reference holds no class." in text
    assert "worst score" not in text
    assert "The mean Dice over 3 cases is 0.900" in text
    both = text_of(new_cohort(dice, failed={1, 2}))
    assert "1 case failed and counts with the worst score for each class of the reference." in both
    assert "The mean Dice over 3 cases, failed ones included, is 0.600" in both


def test_judged_cases_without_a_dice_are_told_apart(new_cohort):
    dice = np.array([[0.9], [0.8], [np.nan]])
    text = text_of(new_cohort(dice))
    assert "All 3 cases were judged" in text
    assert "None of the 2 judged cases in which Dice is counted lies below" in text
    assert "None of the 2 judged cases lies below" in text_of(new_cohort(dice[:2]))


def test_classes_that_are_not_counted_have_no_dice_to_be_the_same(new_cohort):
    dice = np.full((3, 4), 0.9)
    dice[:, 2:] = np.nan
    assert "Both classes that are counted have the same mean Dice, 0.900." in text_of(new_cohort(dice))


def test_why_a_class_does_not_count_is_told_for_judged_and_for_failed_cases(new_cohort):
    dice = np.full((4, 2), 0.9)
    dice[0, 1] = np.nan
    judged, failed = (new_cohort(dice, failed=failed) for failed in ((), {0}))
    assert "counts for class 2 (3): the others have it on neither side." in text_of(judged)
    assert "counts for class 2 (3): the others failed and lack it in the reference." in text_of(failed)
    dice[1, 1] = np.nan
    assert "class 2 (2): the others have it on neither side, or failed and lack it in the reference." in text_of(
        new_cohort(dice, failed={0})
    )


def test_classes_with_few_cases_are_named_beside_many_cases(new_cohort):
    dice = np.full((12, 3), 0.9)
    dice[2:, 1], dice[1:, 2] = np.nan, np.nan
    cautions = "\n".join(account_of(new_cohort(dice), NO_MAKERS, 0).cautions)
    assert "With fewer than 10 cases intervals are too narrow" in cautions
    assert "is looked for: class 2 (2)." in cautions  # one case has no interval
    assert "too narrow" not in "\n".join(account_of(new_cohort(np.full((12, 3), 0.9)), NO_MAKERS, 0).cautions)


def test_names_written_from_right_to_left_turn_nothing_around_them(new_cohort):
    turning, hebrew = "a\u202eb\u2069", "\u05d0\u05d1"
    names = [turning, *(f"case {number}" for number in range(11))]
    dice = np.array([[0.1, 0.2], *[[0.9, 0.5]] * 11])
    errors = np.tile([-0.01, 0.01], (12, 1)) + 0.3
    cohort = new_cohort(
        dice, errors=errors, names=names, targets={hebrew: (1,), "plain": (2,)}, ignored=(Path(f"{turning}.nii"),)
    )
    sentences = told(cohort, Counter({Maker(turning, "engine", "fp32", "1"): 12}))
    text = "\n".join(sentences)
    for shown in ("\u2068a\u202eb\u2069", f"\u2068{hebrew}\u2069", "\u2068a\u202eb.nii\u2069"):
        assert shown in text
    for sentence in sentences:
        outside = re.sub("\u2068[^\u2069]*\u2069", "", sentence)
        assert not set(outside) & {"\u202e", "\u05d0", "\u2068", "\u2069"}
        assert "\u2068plain" not in sentence


def test_a_relation_with_volume_is_told_where_there_is_one(new_cohort):
    steps = np.linspace(0, 1, 12)[:, None]
    rising = new_cohort(np.hstack([0.5 + 0.4 * steps, 0.9 - 0.4 * steps]), volumes=np.hstack([1000 + steps] * 2))
    assert "Dice rises with the volume of the structure for class 1 (rank correlation 1.00, 12 cases)" in text_of(
        rising
    )
    assert "Dice falls with the volume of the structure for class 2 (rank correlation \u22121.00, 12 cases)" in text_of(
        rising
    )
    rng = np.random.default_rng(1)
    unrelated = new_cohort(rng.uniform(0.5, 0.9, (12, 1)), volumes=rng.uniform(1, 2, (12, 1)))
    assert "Dice shows no relation with the volume" in text_of(unrelated)


def test_dice_goes_with_volume_only_where_the_reference_has_the_class(new_cohort):
    dice, volumes = np.array([[0.1], [np.nan], [0.3], [0.4]]), np.array([[5.0], [6.0], [0.0], [8.0]])
    found = dice_and_volume(new_cohort(dice, volumes=volumes), "class 1")
    assert (found[0].tolist(), found[1].tolist()) == ([0.1, 0.4], [5, 8])
    assert [result.pair.name for result in found[2]] == ["case_000", "case_003"]


def test_a_relation_leaves_failed_cases_out(new_cohort):
    steps = np.linspace(0, 1, 14)[:, None]
    cohort = new_cohort(0.5 + 0.4 * steps, volumes=1000 + steps, failed={0, 1, 2})
    assert (relation_of(cohort, "class 1").n, relation_of(cohort, "class 1").rho) == (11, pytest.approx(1))
    assert relation_of(new_cohort(0.5 + steps / 4, volumes=1 + steps, failed=set(range(5))), "class 1") is None


def test_cautions_name_what_a_reader_may_overlook(new_cohort):
    dice = np.full((5, 3), 0.9)
    dice[:, 1], dice[1:, 2] = np.nan, np.nan
    cohort = new_cohort(dice, ignored=(Path("stray.nii.gz"),), ignore=255)
    text = "\n".join(account_of(cohort, NO_MAKERS, 0).cautions)
    assert "With 5 cases intervals are too narrow" in text
    assert "No case counts for class 2." in text
    assert "Not every one of the 5 cases counts for class 3 (1)" in text
    assert "1 prediction was left out for want of a reference: stray.nii.gz." in text
    assert "Voxels with the value 255 in the reference count nowhere." in text
    assert "One case says nothing about the next" in text_of(new_cohort(dice[:1]))
