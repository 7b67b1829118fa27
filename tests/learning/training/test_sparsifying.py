import time

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from torch import nn

from leanseg.learning.training.averaging import Averaging
from leanseg.learning.training.clock import StepClock, WallClock
from leanseg.learning.training.module import SegmentationModule
from leanseg.learning.training.sparsifying import Sparsifying
from leanseg.plans import Data, Sparsity, Training

DATA = Data(name="toy", channels=("MR",), labels={"background": 0, "one": 1})
STEPS = 12


class Watcher(Callback):
    """Looks at weights, moments, average and gradients as the other callbacks see them."""

    def __init__(self):
        self.alive = []

    def on_train_batch_end(self, trainer, module, *_):
        optimizer = trainer.optimizers[0]
        for name, alive in module.sparse.masks.items():
            weight = module.network.get_parameter(name)
            assert not weight[~alive].any()
            assert not module.average.tensors[name][~alive].any()
            assert not any(optimizer.state[weight][moment][~alive].any() for moment in ("exp_avg", "exp_avg_sq"))
            assert weight[alive].any()
        self.alive.append(torch.cat([alive.flatten() for alive in module.sparse.masks.values()]))


def fitted(tmp_path, clock, precision="32-true", steps=STEPS, **options):
    """Train a toy network, watched before and after its masks are updated; returns the module and both watchers."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv3d(1, 8, 1), nn.ReLU(), nn.Conv3d(8, 8, (1, 3, 3), padding=(0, 1, 1)), nn.ReLU(), nn.Conv3d(8, 2, 1)
    )
    settings = Training(patch=(2, 4, 4), sparsity=Sparsity(density=0.4, **options))
    module = SegmentationModule(network, DATA, settings, clock)
    before, after = Watcher(), Watcher()
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        precision=precision,
        gradient_clip_val=1.0,
        callbacks=[Averaging(), before, Sparsifying(module.sparse, clock, tmp_path / "sparsity.csv"), after],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches = [(torch.randn(2, 1, 2, 4, 4), torch.randint(0, 2, (2, 2, 4, 4))) for _ in range(steps)]
    trainer.fit(module, torch.utils.data.DataLoader(batches, batch_size=None))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    return module, before.alive, after.alive


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(("growth", "clip_dead"), [("random", False), ("random", True), ("gradient", False)])
def test_everything_is_masked_at_every_step_and_judged_before_masks_change(precision, growth, clip_dead, tmp_path):
    module, before, after = fitted(tmp_path, StepClock(STEPS), precision, growth=growth, clip_dead=clip_dead)
    changed = [step for step in range(STEPS) if not torch.equal(before[step], after[step])]
    assert changed == [4, 9]  # after steps 5 and 10
    assert all(torch.equal(after[step], before[step + 1]) for step in range(STEPS - 1))
    assert {int(alive.sum()) for alive in (*before, *after)} == {round(0.4 * 64)}
    assert (tmp_path / "sparsity.csv").read_text().count("\n") == 1 + 3
    stored = torch.load(tmp_path / "last.ckpt", weights_only=True)["sparsity"]
    assert all(torch.equal(alive, module.sparse.masks[name]) for name, alive in stored["masks"].items())


def test_the_clock_of_the_wall_moves_masks_too(tmp_path):
    clock = WallClock(seconds=3600, began=time.monotonic() - 1800)
    clock.start()
    clock.restore({"elapsed": 0.0, "first_step": 0.0})
    module, *_ = fitted(tmp_path, clock)
    assert [row[0] for row in module.sparse.history.rows] == [0, 5]  # half of the hour is over, and time flies past


def test_dead_kernels_do_not_take_part_in_the_clip_unless_asked(tmp_path):
    """With all gradients counted the norm is larger, so that the first step of plain descent would be shorter."""
    norms = {}
    for clip_dead in (False, True):

        class Norm(Callback):
            def on_before_optimizer_step(self, trainer, module, optimizer, clip_dead=clip_dead):
                norms[clip_dead] = nn.utils.get_total_norm([p.grad for p in module.parameters()]).item()

        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv3d(1, 8, 1), nn.Conv3d(8, 8, 3, padding=1), nn.Conv3d(8, 2, 1))
        settings = Training(patch=(2, 4, 4), sparsity=Sparsity(clip_dead=clip_dead))
        module = SegmentationModule(network, DATA, settings, StepClock(10))
        batch = (torch.randn(2, 1, 2, 4, 4), torch.randint(0, 2, (2, 2, 4, 4)))
        trainer = Trainer(
            accelerator="cpu",
            max_steps=1,
            callbacks=[Sparsifying(module.sparse, StepClock(10), tmp_path / "sparsity.csv"), Norm()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, torch.utils.data.DataLoader([batch], batch_size=None))
    assert norms[True] > norms[False] > 0
