"""leanseg: train, judge and deploy 3D medical image segmentation within the memory and time a person has."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leanseg.api.ablate import ablate
    from leanseg.api.check import check
    from leanseg.api.ensemble import ensemble
    from leanseg.api.evaluate import evaluate
    from leanseg.api.look import look
    from leanseg.api.model import Model
    from leanseg.api.plan import plan
    from leanseg.api.predict import predict
    from leanseg.api.profile import profile
    from leanseg.api.register import register
    from leanseg.api.runs import runs
    from leanseg.api.segmentation import Segmentation
    from leanseg.api.stress import stress
    from leanseg.api.train import train
    from leanseg.api.tune import tune
    from leanseg.api.untrained import untrained_package
    from leanseg.datasets import CheckReport
    from leanseg.errors import BudgetError, InputError, LeansegError
    from leanseg.evaluation import Evaluation
    from leanseg.evaluation.runs import RunsReport
    from leanseg.evaluation.stress import StressTest
    from leanseg.evaluation.tuning import Tuning
    from leanseg.inference import Summary
    from leanseg.inference.profiling import Profile
    from leanseg.learning import networks
    from leanseg.learning.jobs.ablation import Ablation
    from leanseg.learning.jobs.cross_validation import CrossValidation
    from leanseg.learning.jobs.ensemble import Ensemble
    from leanseg.learning.jobs.inspection import Look
    from leanseg.learning.jobs.training_run import Outcome
    from leanseg.learning.registration.folder import Registration
    from leanseg.packages import Package
    from leanseg.plans import Plan
    from leanseg.progress import Progress
    from leanseg.volumes import Volume

__all__ = [
    "Ablation",
    "BudgetError",
    "CheckReport",
    "CrossValidation",
    "Ensemble",
    "Evaluation",
    "InputError",
    "LeansegError",
    "Look",
    "Model",
    "Outcome",
    "Package",
    "Plan",
    "Profile",
    "Progress",
    "Registration",
    "RunsReport",
    "Segmentation",
    "StressTest",
    "Summary",
    "Tuning",
    "Volume",
    "__version__",
    "ablate",
    "check",
    "ensemble",
    "evaluate",
    "look",
    "networks",
    "plan",
    "predict",
    "profile",
    "register",
    "runs",
    "stress",
    "train",
    "tune",
    "untrained_package",
]

__version__ = "0.1.0"

# Where each name is found when it is first asked for, so that `import leanseg` stays light and works without torch.
_LAZY = {
    "Ablation": "leanseg.learning.jobs.ablation",
    "BudgetError": "leanseg.errors",
    "CheckReport": "leanseg.datasets",
    "CrossValidation": "leanseg.learning.jobs.cross_validation",
    "Ensemble": "leanseg.learning.jobs.ensemble",
    "Evaluation": "leanseg.evaluation",
    "InputError": "leanseg.errors",
    "LeansegError": "leanseg.errors",
    "Look": "leanseg.learning.jobs.inspection",
    "Model": "leanseg.api.model",
    "Outcome": "leanseg.learning.jobs.training_run",
    "Package": "leanseg.packages",
    "Plan": "leanseg.plans",
    "Profile": "leanseg.inference.profiling",
    "Progress": "leanseg.progress",
    "RunsReport": "leanseg.evaluation.runs",
    "Registration": "leanseg.learning.registration.folder",
    "Segmentation": "leanseg.api.segmentation",
    "StressTest": "leanseg.evaluation.stress",
    "Summary": "leanseg.inference",
    "Tuning": "leanseg.evaluation.tuning",
    "Volume": "leanseg.volumes",
    "ablate": "leanseg.api.ablate",
    "check": "leanseg.api.check",
    "ensemble": "leanseg.api.ensemble",
    "evaluate": "leanseg.api.evaluate",
    "look": "leanseg.api.look",
    "networks": "leanseg.learning",
    "plan": "leanseg.api.plan",
    "predict": "leanseg.api.predict",
    "profile": "leanseg.api.profile",
    "stress": "leanseg.api.stress",
    "runs": "leanseg.api.runs",
    "register": "leanseg.api.register",
    "train": "leanseg.api.train",
    "tune": "leanseg.api.tune",
    "untrained_package": "leanseg.api.untrained",
}

if not TYPE_CHECKING:  # a type checker knows the names from above, and should know no others

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        from leanseg.errors import missing_package

        try:
            found = getattr(__import__(_LAZY[name], fromlist=[name]), name)  # from <module> import <name>
        except ModuleNotFoundError as error:
            if missing := missing_package(error):
                raise missing from error
            raise
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LAZY})
