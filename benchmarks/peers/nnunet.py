"""nnU-Net's own way from file to file: its planner, preparation, predictor and export, as its commands call them.

Its planner gets the fingerprint of a data set whose every scan is the one at hand, already at the spacing of leanseg's
plan, and intensities as that plan has them; so both work on the same grid and see the same numbers but for the
interpolation (nnU-Net's is cubic). Weights are random, which changes no seconds.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from peers.job import Job, Said
from peers.torch_network import Repeating, network_of

from leanseg import Package
from leanseg.inference import prepare
from leanseg.plans import Plan
from leanseg.volumes import read_channels

_DATASET = "Dataset001_peers"
_PLANS = "nnUNetPlans"


def plan(job: Job) -> None:
    """Let nnU-Net plan for the scan of a job, and keep plans.json and dataset.json in the folder `kept_plan`."""
    package = Package.read(Path(job.package))
    folder = kept_plan(job)
    raw, preprocessed = folder / "raw" / _DATASET, folder / "preprocessed" / _DATASET
    for place in (raw / "imagesTr", raw / "labelsTr", preprocessed):
        place.mkdir(parents=True, exist_ok=True)
    for channel, path in enumerate(job.files):
        image = raw / "imagesTr" / f"case_{channel:04d}.nii.gz"
        image.unlink(missing_ok=True)
        image.symlink_to(path.resolve())
    (raw / "labelsTr" / "case.nii.gz").touch()  # the planner wants to know that it is there
    (raw / "dataset.json").write_text(json.dumps(_dataset(package.plan)))
    array, geometry = read_channels(job.files)
    shape = prepare(array, geometry, package.plan.preprocessing).grid.shape
    (preprocessed / "dataset_fingerprint.json").write_text(json.dumps(_fingerprint(package.plan, shape)))
    os.environ.update(nnUNet_raw=str(raw.parent), nnUNet_preprocessed=str(preprocessed.parent))

    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

    ExperimentPlanner(_DATASET, plans_name=_PLANS).plan_experiment()
    (folder / "plans.json").write_bytes((preprocessed / f"{_PLANS}.json").read_bytes())
    (folder / "dataset.json").write_bytes((raw / "dataset.json").read_bytes())


def kept_plan(job: Job) -> Path:
    """Return the folder of what `plan` makes."""
    return Path(job.out).with_name("nnunet-plan")


def predict_with_our_network(job: Job) -> None:
    """See `rows.nnunet_same`. One process, which takes less memory than nnU-Net's default."""
    package = Package.read(Path(job.package))
    inference = package.plan.inference
    plans, dataset = _plans(job)
    plans["configurations"]["3d_fullres"]["patch_size"] = list(inference.tile)
    network = network_of(Path(job.package), job.passes)
    predictor = _predictor(job, network, plans, dataset, mirroring=False, step=1 - inference.overlap)
    found = Said(f"torch {torch.__version__}")
    _timed(predictor, found)
    predictor.predict_from_files_sequential([_paths(job)], [_truncated(job)])
    network.account(found)
    found.write(Path(job.out))


def predict_with_defaults(job: Job) -> None:
    """See `rows.nnunet_defaults`. The numbers of processes are those of nnUNetv2_predict."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    plans, dataset = _plans(job)
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    network = Repeating(
        get_network_from_plans(
            architecture["network_class_name"],
            architecture["arch_kwargs"],
            architecture["_kw_requires_import"],
            len(dataset["channel_names"]),
            len(dataset["labels"]),
            deep_supervision=False,
        ),
        job.passes,
    )
    predictor = _predictor(job, network, plans, dataset, mirroring=True, step=0.5)
    found = Said(f"torch {torch.__version__}")
    _timed(predictor, found)
    predictor.predict_from_files(
        [_paths(job)], [_truncated(job)], num_processes_preprocessing=3, num_processes_segmentation_export=3
    )
    network.account(found, job.folds)
    if job.folds > 1:
        around = found.seconds["network"] - sum(network.taken)
        found.add(f"what else a fold's tiles take, {around:.1f} s", (job.folds - 1) * around)
    found.write(Path(job.out))


def _predictor(
    job: Job, network: Repeating, plans: dict[str, Any], dataset: dict[str, Any], *, mirroring: bool, step: float
) -> Any:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    torch.set_num_threads(job.threads)
    predictor = nnUNetPredictor(
        tile_step_size=step,
        use_mirroring=mirroring,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    manager = PlansManager(plans)
    configuration = manager.get_configuration("3d_fullres")
    weights = network.state_dict()
    axes = (0, 1, 2) if mirroring else None
    predictor.manual_initialization(network, manager, configuration, [weights], dataset, "nnUNetTrainer", axes)
    return predictor


def _timed(predictor: Any, found: Said) -> None:
    """Let the predictor say into `found` how long tiles and their fusion take."""
    predict = predictor.predict_logits_from_preprocessed_data

    def timed(data: torch.Tensor) -> torch.Tensor:
        with found.phase("network"):
            return predict(data)

    predictor.predict_logits_from_preprocessed_data = timed


def _plans(job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = kept_plan(job)
    return json.loads((folder / "plans.json").read_text()), json.loads((folder / "dataset.json").read_text())


def _paths(job: Job) -> list[str]:
    return [str(path) for path in job.files]


def _truncated(job: Job) -> str:
    return str(job.labels).removesuffix(".nii.gz")


def _dataset(plan: Plan) -> dict[str, Any]:
    """Return a dataset.json. A channel called CT is clipped and normalised by the fingerprint, others by the scan."""
    absolute = [scheme.is_absolute for scheme in plan.preprocessing.normalisation]
    return {
        "channel_names": {str(channel): "CT" if ct else "MR" for channel, ct in enumerate(absolute)},
        "labels": dict(plan.data.labels),
        "numTraining": 1,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }


def _fingerprint(plan: Plan, shape: tuple[int, int, int]) -> dict[str, Any]:
    channels = {}
    for channel, scheme in enumerate(plan.preprocessing.normalisation):
        low, high, mean, sd = scheme.low or 0.0, scheme.high or 0.0, scheme.mean or 0.0, scheme.sd or 1.0
        channels[str(channel)] = {
            "max": high,
            "mean": mean,
            "median": mean,
            "min": low,
            "percentile_00_5": low,
            "percentile_99_5": high,
            "std": sd,
        }
    return {
        "spacings": [list(plan.preprocessing.spacing or (1.0, 1.0, 1.0))],
        "shapes_after_crop": [list(shape)],
        "median_relative_size_after_cropping": 1.0,
        "foreground_intensity_properties_per_channel": channels,
    }
