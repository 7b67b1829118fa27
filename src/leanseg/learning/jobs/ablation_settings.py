"""The settings of an ablation: every combination of what is varied, each checked before anything is trained."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import JsonValue

from leanseg.datasets import Dataset
from leanseg.datasets.fingerprint import Fingerprint
from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.costing import Calibration, calibrate
from leanseg.learning.planning import DEFAULT_NETWORK, make_plan
from leanseg.plans import Budget, Plan, RandomContrast, Sparsity, read_sparsity
from leanseg.progress import Progress

NETWORK, SPARSITY, DENSITY = "network", "sparsity", "density"
"""What may be varied beside the options of the network."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")


class NothingVariedError(InputError):
    """An ablation without a choice."""

    def __init__(self, key: str | None = None) -> None:
        super().__init__(
            what="nothing is varied" if key is None else f"--vary {key} names no value",
            why="an ablation trains one network for every value of something",
            fix="name an option and its values, for example --vary alpha=0.25,0.5,1.0",
        )


class SameSettingError(InputError):
    """Two settings are the same, or would have the same folder."""

    def __init__(self, name: str) -> None:
        super().__init__(
            what=f"two settings are named {name}",
            why="each of them is a run in a folder of its own, named after its values",
            fix="name every value of --vary and every seed once",
        )


class VariedAndFixedError(InputError):
    """An option has one value, and several."""

    def __init__(self, key: str) -> None:
        super().__init__(
            what=f"{key} is given to all settings and varied as well",
            why="a setting has one value of it",
            fix=f"leave out either --vary {key}=... or its other value",
        )


class NotANumberError(InputError):
    """A density is no number."""

    def __init__(self, value: object) -> None:
        super().__init__(
            what=f"density {value!r} is no number",
            why="it is the share of kernels that the network keeps",
            fix="vary it for example so: --sparsity dynamic --vary density=0.1,0.2,0.5",
        )


@dataclass(frozen=True)
class Setting:
    """What one run is trained with. values: of what is varied. name: says them, and names the folder."""

    name: str
    values: Mapping[str, JsonValue]
    network: str
    options: Mapping[str, JsonValue]
    sparsity: Sparsity | None


@dataclass(frozen=True)
class PatchChanges:
    """How the training patches of all settings are changed. unlabelled: number of scans whose shapes they take."""

    elastic: bool = False
    unlabelled: int = 0
    contrast: RandomContrast | None = None


def settings_of(
    vary: Mapping[str, Sequence[JsonValue]],
    *,
    network: str | None,
    options: Mapping[str, JsonValue],
    sparsity: str | None,
    density: float | None,
) -> tuple[Setting, ...]:
    """Return every combination of the values in `vary`, in the order in which they are named, the first one slowest.

    vary: an option of the network, "network", "sparsity" or "density" -> its values. The others are the same for all
    settings. Every network is made once, without memory, so that what is wrong with any setting is refused here.
    Raises InputErrors.
    """
    fixed = {NETWORK: network, SPARSITY: sparsity, DENSITY: density, **options}
    if not vary:
        raise NothingVariedError
    for key, values in vary.items():
        if not values:
            raise NothingVariedError(key)
        if fixed.get(key) is not None:
            raise VariedAndFixedError(key)
    settings: list[Setting] = []
    for combination in itertools.product(*vary.values()):
        one_each = dict(zip(vary, combination, strict=True))
        settings.append(_setting(one_each, {**fixed, **one_each}))
    refuse_repeated([setting.name for setting in settings])
    for setting in settings:
        _refuse_impossible(setting)
    return tuple(settings)


def refuse_repeated(names: Sequence[str]) -> None:
    """Raise SameSettingError for the first name that is there twice; some file systems know no capital letters."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise SameSettingError(name)
        seen.add(name.lower())


def plan_settings(
    dataset: Dataset,
    fingerprint: Fingerprint,
    budget: Budget,
    settings: Sequence[Setting],
    device: Literal["cpu", "cuda"],
    progress: Progress,
    changes: PatchChanges = PatchChanges(),
) -> list[Plan]:
    """Return a plan for each setting; `changes` are the same for all. Raises InputError and BudgetError.

    The machine is measured once for each network: measured anew, two settings that differ in nothing that matters
    might get patches of different sizes.
    """
    measured: dict[str, Calibration] = {}
    plans = []
    for setting in progress.track(settings, "Planning", total=len(settings)):
        options = dict(setting.options)
        if setting.network not in measured:
            outputs = len(dataset.regions) or len(dataset.labels)
            measured[setting.network] = calibrate(setting.network, len(dataset.channels), outputs, options, device)
        plans.append(
            make_plan(
                dataset,
                fingerprint,
                budget,
                network=setting.network,
                options=options,
                sparsity=setting.sparsity,
                elastic=changes.elastic,
                unlabelled=changes.unlabelled,
                contrast=changes.contrast,
                calibration=measured[setting.network],
            )
        )
    return plans


def _setting(values: Mapping[str, JsonValue], chosen: Mapping[str, JsonValue]) -> Setting:
    options = {key: value for key, value in chosen.items() if key not in (NETWORK, SPARSITY, DENSITY)}
    density = chosen[DENSITY]
    share = float(density) if isinstance(density, int | float) and not isinstance(density, bool) else None
    if density is not None and share is None:
        raise NotANumberError(density)
    method = chosen[SPARSITY]
    name = "_".join(
        _UNSAFE.sub("-", f"{key}={value if isinstance(value, str) else json.dumps(value)}")
        for key, value in values.items()
    )
    return Setting(
        name=name,
        values=dict(values),
        network=str(chosen[NETWORK] or DEFAULT_NETWORK),
        options=options,
        sparsity=read_sparsity(None if method is None else str(method), share),
    )


def _refuse_impossible(setting: Setting) -> None:
    """Raise the InputError of a network that does not exist, or not with these options."""
    with torch.device("meta"):
        networks.create(setting.network, 1, 2, **setting.options)
