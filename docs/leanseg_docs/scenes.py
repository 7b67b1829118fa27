"""Every command line whose output the documentation shows, in the order in which they are recorded.

They run in one scratch folder, see `stage`. A page shows one by its name: `<!-- recorded: check -->`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leanseg_docs import stage


@dataclass(frozen=True)
class Scene:
    """One command line.

    about: what its command's page says above it; without it the page leaves it out. code: how it must end. before:
    makes what it needs in the scratch folder. again: whether the tests run it again, on a small data set. after: the
    scenes that must have run there first.
    """

    name: str
    command: str
    about: str = ""
    code: int = 0
    before: Callable[[Path], None] | None = None
    again: bool = False
    after: tuple[str, ...] = ()

    @property
    def of(self) -> str:
        """The leanseg command whose page shows it; nothing for other programs and scenes of other pages."""
        words = self.command.split()
        return words[1] if self.about and words[0] == "leanseg" else ""


@dataclass(frozen=True)
class Snippets:
    """The Python of a page, run block by block; what the third prints is recorded as <stem of the page>-3.

    writes: what it leaves in the scratch folder.
    """

    page: str
    writes: tuple[str, ...] = ()


SCAN = "Task04_Hippocampus/imagesTr/hippocampus_001.nii.gz"
LABELS = "Task04_Hippocampus/labelsTr/hippocampus_001.nii.gz"

SCENES: tuple[Scene | Snippets, ...] = (
    Scene("doctor", "leanseg doctor", "On the machine that all outputs on these pages come from:"),
    Scene("info", f"leanseg info {SCAN} {LABELS}", "A scan and its labels:", again=True),
    Scene(
        "info-broken",
        "leanseg info cut-off.nii.gz",
        "A download that stopped half-way:",
        code=2,
        before=stage.cut_off_a_scan,
        again=True,
    ),
    Scene("check", "leanseg check Task04_Hippocampus", "A sound data set:", again=True),
    Scene(
        "check-broken",
        "leanseg check broken",
        "Six of its cases, two of them spoiled on purpose:",
        code=2,
        before=stage.spoil_a_data_set,
        again=True,
    ),
    Scene("check-misspelled", "leanseg check misspelled", code=2, before=stage.misspell_a_description, again=True),
    Scene(
        "split",
        "leanseg split Task04_Hippocampus -o splits.json --test-share 0.1",
        "Five folds, and a tenth of the cases in none of them:",
        again=True,
    ),
    Scene(
        "networks", "leanseg networks", "All of leanseg's own, counted for one channel and many classes:", again=True
    ),
    Scene("networks-one", "leanseg networks dynunet", "Everything about one of them:", again=True),
    Scene(
        "networks-vfn",
        "leanseg networks vfn",
        "One whose [parts learn in turn](../adding-a-network.md#in-two-parts-that-learn-in-turn):",
        again=True,
    ),
    Scene("networks-unknown", "leanseg networks dynunt", "A name that does not exist:", code=2, again=True),
    Scene(
        "profile",
        "leanseg profile --static dynunet --classes 16 --shape 64x160x160",
        "A patch of abdominal CT:",
        again=True,
    ),
    Scene(
        "profile-sparse",
        "leanseg profile --static e2enet --classes 16 --density 0.2 --convention e2enet",
        "A row of E2ENet's table, 9.44 M and 778.74 G:",
        again=True,
    ),
    Scene(
        "networks-package",
        "leanseg networks distill_dsm_unet --package abdomen --classes 14 --spacing 3",
        "A package without training, to [size a machine](../sizing.md) with:",
    ),
    Scene(
        "profile-package",
        "leanseg profile abdomen --volume 512x512x300 --spacing 0.8x0.8x1 -o costs",
        "Predicting an abdominal CT with a [package without training](../sizing.md):",
    ),
    Scene("plan", "leanseg plan Task04_Hippocampus -o plan.json --minutes 1", "For one minute of training:"),
    Scene(
        "plan-unlabelled",
        "leanseg plan few-labels -o shapes.json --minutes 15 --unlabelled others",
        before=stage.label_few,
    ),
    Scene(
        "unlabelled-empty",
        "leanseg plan Task04_Hippocampus -o shapes.json --unlabelled no-scans",
        code=2,
        before=stage.make_an_empty_folder,
        again=True,
    ),
    Scene("budget-time", "leanseg plan Dataset013_BraTS2013 -o long.json --ram 8GB --minutes 240"),
    Scene("budget-middle", "leanseg plan Dataset013_BraTS2013 -o short.json --ram 8GB --minutes 15"),
    Scene("budget-memory", "leanseg plan Dataset013_BraTS2013 -o small.json --ram 3GB --minutes 15"),
    Scene(
        "plan-refused",
        "leanseg plan Dataset013_BraTS2013 -o none.json --ram 600MB --minutes 15",
        "A budget that cannot be met:",
        code=3,
        again=True,
    ),
    Scene("plan-file", "cat plan.json"),
    Scene(
        "train",
        "leanseg train Task04_Hippocampus --plan plan.json --splits splits.json -o runs/first",
        "One minute, everything included. Enough to see it work, not to be good:",
    ),
    Scene(
        "train-misspelled",
        "leanseg train Task04_Hippocampus --plan edited.json -o runs/edited",
        "A plan edited by hand, with a key that does not exist:",
        code=2,
        before=stage.misspell_a_plan,
        again=True,
    ),
    Scene("run-record", "cat runs/first/run.json"),
    Snippets("getting-started.md", writes=("new-scans", "references")),
    Scene(
        "predict",
        "leanseg predict runs/first new-scans -o label-maps",
        "The test cases of the splits:",
        again=True,
    ),
    Scene(
        "predict-partly",
        "leanseg predict runs/first three-scans -o other-label-maps",
        "Three scans, one of them cut off:",
        code=4,
        before=stage.cut_off_one_of_three,
        again=True,
    ),
    Scene(
        "predict-resume",
        "leanseg predict runs/first three-scans --resume --out other-label-maps",
        "The same scans once the broken one is mended; the finished ones are left as they are:",
        before=stage.mend_the_second_of_three,
        after=("predict-partly",),
    ),
    Scene(
        "predict-part",
        "leanseg predict runs/first new-scans --part 2/8 -o an-eighth",
        "What the second of eight machines does:",
    ),
    Scene("sidecar", "cat other-label-maps/hippocampus_001.json", after=("predict-partly",)),
    Scene(
        "evaluate",
        "leanseg evaluate label-maps references -o report --images new-scans",
        "The label maps of the test cases:",
        again=True,
        after=("predict",),
    ),
    Scene(
        "stress",
        "leanseg stress runs/first Task04_Hippocampus -o stress --stress noise,motion,slices --levels 2 --cases 12",
        "Twelve of the validation cases of the first run, under three kinds of stress:",
    ),
    Scene(
        "tune",
        "leanseg tune runs/tuned --cases Task04_Hippocampus -o tuning",
        "The first run, on its validation cases, before it is used for many scans:",
        before=stage.copy_the_first_run,
    ),
    Scene(
        "evaluate-elsewhere",
        'leanseg evaluate runs/first elsewhere -o elsewhere-report --map "Posterior=Tail"',
        "A run on another data set, which calls a class by another name and has other label values:",
        before=stage.label_otherwise,
    ),
    Scene("pack", "leanseg pack runs/first -o hippocampus.zip", "The model of the first run:", again=True),
    Scene(
        "conform",
        "leanseg conform Dataset013_BraTS2013/imagesTr/brats_2013_pat0003_1_0000.nii.gz -o brain.nii.gz",
        "A brain without its skull:",
    ),
    Scene("package-files", "unzip -l hippocampus.zip", after=("pack",)),
    Scene("card", "cat runs/first/package/card.md"),
    Scene(
        "package-changed",
        "leanseg predict changed.zip new-scans -o nothing",
        code=2,
        before=stage.change_a_package,
        again=True,
        after=("pack",),
    ),
    Scene("split-three", "leanseg split Task04_Hippocampus -o three.json --folds 3 --test-share 0.1", again=True),
    Scene(
        "train-all",
        "leanseg train Task04_Hippocampus --fold all --splits three.json --steps 150 -o runs/folds",
        "Three folds of 150 steps each. Every case is judged by a model that never trained on it:",
    ),
    Scene(
        "runs",
        "leanseg runs runs/first runs/folds -o comparison",
        "A minute of training, and three folds of 150 steps each. They were judged on other cases, and stand apart:",
    ),
    Scene(
        "ablate-refused",
        "leanseg ablate Task04_Hippocampus --vary alpha=0.5,0.3 --minutes 8 -o runs/refused",
        "A value that the network cannot take, among others that it can:",
        code=2,
        again=True,
    ),
    Scene("look", f"leanseg look runs/first {SCAN} -o look", "What a minute of training has taught:"),
    Scene(
        "ensemble",
        "leanseg ensemble runs/folds -o hippocampus-package",
        "The three folds from [leanseg train](train.md), judged on the test cases:",
    ),
    Scene(
        "register",
        "leanseg register Task04_Hippocampus/imagesTr/hippocampus_001.nii.gz "
        "Task04_Hippocampus/imagesTr/hippocampus_003.nii.gz -o registered "
        "--labels Task04_Hippocampus/labelsTr/hippocampus_001.nii.gz "
        "--fixed-labels Task04_Hippocampus/labelsTr/hippocampus_003.nii.gz",
        "One hippocampus laid over that of another person:",
    ),
    Scene(
        "register-refused",
        "leanseg register Dataset013_BraTS2013/imagesTr/brats_2013_pat0003_1_0000.nii.gz "
        "Task04_Hippocampus/imagesTr/hippocampus_003.nii.gz -o refused --start centres",
        "A whole head laid over a hippocampus:",
        code=2,
    ),
    Scene("recipes", "leanseg recipes", "All of them:", again=True),
    Scene(
        "recipe", "leanseg recipes distill-dsm-hippocampus", "One of them, with the origin of every value:", again=True
    ),
    Scene(
        "recipe-refused",
        "leanseg plan Task04_Hippocampus -o refused.json --recipe e2enet-btcv",
        code=2,
        again=True,
    ),
    Scene(
        "recipe-plan", "leanseg plan Task04_Hippocampus -o rehearsal.json --recipe distill-dsm-hippocampus --scale 0.01"
    ),
    Scene("demo", "leanseg demo", "Three minutes of training:"),
    Snippets("python.md", writes=("runs/python", "labels.nii.gz", "many-label-maps", "python-report")),
    Snippets("adding-a-network.md"),
    Snippets("contributing.md"),
)


def scene(name: str) -> Scene:
    """Return the scene of that name."""
    return next(each for each in SCENES if isinstance(each, Scene) and each.name == name)
