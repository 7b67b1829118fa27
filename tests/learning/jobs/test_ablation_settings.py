from types import SimpleNamespace

import pytest

from leanseg.errors import InputError
from leanseg.learning.jobs import ablation_settings
from leanseg.learning.jobs.ablation_settings import (
    NothingVariedError,
    PatchChanges,
    SameSettingError,
    VariedAndFixedError,
    plan_settings,
    settings_of,
)
from leanseg.plans import RandomContrast, Sparsity
from leanseg.progress import Progress


def made(vary, network=None, options=None, sparsity=None, density=None):
    return settings_of(vary, network=network, options=options or {}, sparsity=sparsity, density=density)


def test_several_options_make_all_combinations_the_first_slowest():
    settings = made({"base": [8, 16], "shift_groups": [3, 5]}, network="e2enet")
    assert [setting.name for setting in settings] == [
        "base=8_shift_groups=3",
        "base=8_shift_groups=5",
        "base=16_shift_groups=3",
        "base=16_shift_groups=5",
    ]
    assert settings[1].options == {"base": 8, "shift_groups": 5}
    assert settings[1].values == {"base": 8, "shift_groups": 5}


def test_the_default_network_is_that_of_a_plan():
    (setting,) = made({"alpha": [1.0]})
    assert (setting.network, setting.name) == ("distill_dsm_unet", "alpha=1.0")


def test_networks_may_be_varied():
    assert [setting.network for setting in made({"network": ["unet2d", "unet3d"]})] == ["unet2d", "unet3d"]


def test_density_and_sparsity_may_be_varied():
    sparse = made({"density": [0.1, 1]}, network="e2enet", sparsity="static")
    assert [setting.sparsity.density for setting in sparse] == [0.1, 1]
    dense, dynamic = made({"sparsity": ["none", "dynamic"]}, network="e2enet")
    assert dense.sparsity is None
    assert dynamic.sparsity == Sparsity(method="dynamic", density=0.2)


def test_names_are_names_of_folders():
    (setting,) = made({"pools": [[[1, 2, 2], [2, 2, 2], [1, 2, 2]]]}, network="e2enet")
    assert "/" not in setting.name
    assert "[" not in setting.name


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"alhpa": [0.5]}, "did you mean 'alpha'"),
        ({"alpha": [0.5, 0.3]}, "is 0.3 instead of one of"),
        ({"alpha": [0.5, "half"]}, "'half'"),
        ({"network": ["unet3d", "unet2"]}, "unet2"),
        ({"density": [0.2]}, "--density was given without"),
        ({"density": ["low"]}, "is no number"),
    ],
)
def test_what_is_wrong_with_any_setting_is_refused(vary, said):
    with pytest.raises(InputError) as refusal:
        made(vary)
    assert said in str(refusal.value)


def test_patches_of_all_settings_are_changed_alike(monkeypatch):
    """What a plan makes of it is for the planner's tests to say."""
    given = []
    monkeypatch.setattr(ablation_settings, "make_plan", lambda *_, **options: given.append(options))
    monkeypatch.setattr(ablation_settings, "calibrate", lambda *_: None)
    dataset = SimpleNamespace(regions={}, labels={"background": 0}, channels=("MR",))
    contrast = RandomContrast()
    settings = made({"alpha": [0.5, 1.0]})
    plan_settings(dataset, None, None, settings, "cpu", Progress(), PatchChanges(elastic=True, unlabelled=3))
    plan_settings(dataset, None, None, settings[:1], "cpu", Progress(), PatchChanges(contrast=contrast))
    assert [(each["elastic"], each["unlabelled"], each["contrast"]) for each in given] == [
        (True, 3, None),
        (True, 3, None),
        (False, 0, contrast),
    ]


def test_nothing_twice_and_what_is_fixed_as_well_are_refused():
    with pytest.raises(NothingVariedError):
        made({})
    with pytest.raises(NothingVariedError):
        made({"alpha": []})
    with pytest.raises(SameSettingError):
        made({"alpha": [0.5, 0.5]})
    with pytest.raises(VariedAndFixedError):
        made({"alpha": [0.5]}, options={"alpha": 1.0})
    with pytest.raises(VariedAndFixedError):
        made({"network": ["unet2d"]}, network="unet3d")
