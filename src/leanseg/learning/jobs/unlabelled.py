"""Unlabelled scans in a training run: refuse what cannot help, register what can, tell what came of it."""

import contextlib
import csv
import io
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from leanseg.errors import InputError
from leanseg.learning.training.cache import CachedCase, CachedScan
from leanseg.learning.training.clock import Clock, WallClock, told
from leanseg.learning.training.deformations import Deformations, ReadyFlows
from leanseg.learning.training.flows import FlowStore, Outcome
from leanseg.learning.training.pairs import in_rounds, partners
from leanseg.learning.training.registering import BackgroundRegistration, own_registration, register_pairs
from leanseg.plans import Plan, RegistrationMix, show_bytes
from leanseg.progress import Progress
from leanseg.storage import write_text

_AHEAD_SHARE = 0.1  # of the time of a run that ends by the clock: for pairs registered before training
_FEWEST_TRIED = 4  # pairs that are registered before training, however little time there is
_HOPELESS = 8  # pairs that are refused one after the other at the beginning: where half of all fit, one in 256 times
_MOST_NAMED = 5  # scans in one message


class UnlabelledNeededError(InputError):
    """The plan wants unlabelled scans, and none are named."""

    def __init__(self) -> None:
        super().__init__(
            what="the plan registers labelled scans to unlabelled ones, and none are named",
            why="training.augmentation.registration is set in it",
            fix="add --unlabelled DIR, or set that key to null",
        )


class UnlabelledUnusedError(InputError):
    """Unlabelled scans are named, and the plan has no use for them."""

    def __init__(self) -> None:
        super().__init__(
            what="--unlabelled is given, and the plan does not use unlabelled scans",
            why="training.augmentation.registration is null in it",
            fix="make the plan with them: leanseg plan DATASET --unlabelled DIR -o PLAN",
        )


class ValidationScansAmongUnlabelledError(InputError):
    """Scans that judge the model would shape its training."""

    def __init__(self, names: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            what=f"{_listed([f'{unlabelled} (case {case})' for unlabelled, case in names])} among the unlabelled scans "
            f"{'is' if len(names) == 1 else 'are'} kept for validation or test",
            why="training would see their anatomy, and their scores would be too good",
            fix="take them out of the folder of --unlabelled",
        )


class NoPairsError(InputError):
    """There is nothing to register."""

    def __init__(self) -> None:
        super().__init__(
            what="every unlabelled scan holds the same as the only labelled case",
            why="a scan that is registered to itself keeps its shape",
            fix="name a folder of other scans with --unlabelled",
        )


class NoRoomForFlowsError(InputError):
    """Not even one pair may be kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            what=f"not one deformation fits into {show_bytes(limit)}",
            why="training.augmentation.registration.disk in the plan allows no more",
            fix="set it higher there",
        )


class UnlikeScansError(InputError):
    """Most registrations were refused, so the scans are hardly of the same kind."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        refused = [outcome for outcome in outcomes if outcome.refused]
        named = _mostly_refused([outcome.unlabelled for outcome in outcomes], [each.unlabelled for each in refused])
        super().__init__(
            what=f"{len(refused)} of {len(outcomes)} registrations to unlabelled scans were refused"
            + (f", most or all of those to {_listed(named)}" if named else "")
            + f"; the first: {refused[0].labelled} to {refused[0].unlabelled}: {refused[0].refused}",
            why="scans of another organ or kind lend no shapes that the labelled ones could have",
            fix="name a folder of scans of the same organ, field of view and kind with --unlabelled, "
            "or train without: --elastic",
        )


def refuse_other_unlabelled(plan: Plan, *, named: bool) -> None:
    """Raise UnlabelledNeededError or UnlabelledUnusedError where plan and command disagree about unlabelled scans."""
    wanted = plan.training.augmentation.registration is not None
    if wanted and not named:
        raise UnlabelledNeededError
    if named and not wanted:
        raise UnlabelledUnusedError


def refuse_judging_scans(unlabelled: Sequence[CachedScan], judging: Sequence[CachedScan]) -> None:
    """Raise ValidationScansAmongUnlabelledError where an unlabelled scan holds what one of `judging` holds."""
    names = {scan.content: scan.name for scan in judging}
    if found := [(scan.name, names[scan.content]) for scan in unlabelled if scan.content in names]:
        raise ValidationScansAmongUnlabelledError(found)


class UnlabelledScans:
    """The pairs of one run, their registration, and what came of it.

    folder: for the flows. table: file for a line about each pair. device: of what is registered before training; what
    follows in the background leaves a GPU to training.
    """

    def __init__(
        self,
        cases: Sequence[CachedCase],
        scans: Sequence[CachedScan],
        plan: Plan,
        folder: Path,
        table: Path,
        device: str,
        progress: Progress,
    ) -> None:
        mix = plan.training.augmentation.registration
        assert mix is not None
        self._mix: RegistrationMix = mix
        self._plan = plan
        self._progress = progress
        self._table = table
        self._store = FlowStore(folder, mix.disk)
        self._register, registration = own_registration(device)
        different = _different(scans, progress)
        decisive = f"{registration} {plan.preprocessing.model_dump_json()} intensities={mix.intensities}"
        self._of_each = [
            partners(case.scan, different, number=mix.partners, seed=plan.training.seed, registration=decisive)
            if case.scan
            else []
            for case in cases
        ]
        self._pairs = in_rounds(self._of_each)
        self._growing = False
        labelled = {case.scan.content for case in cases if case.scan}
        if same := [scan.name for scan in scans if scan.content in labelled]:
            progress.note(f"Unlabelled scans that are training cases, too: {_listed(same)}. They lend their shapes.")
        if len(different) < mix.partners:
            progress.note(_too_few(len(different), mix.partners))
        if alone := [case.name for case, pairs in zip(cases, self._of_each, strict=True) if not pairs]:
            progress.note(f"Labelled cases to which no other scan lends its shape: {_listed(alone)}")

    def register_ahead(self, clock: Clock) -> None:
        """Register all pairs; with a clock that counts time as many as a tenth of it allows, and the others later.

        Raises NoPairsError, NoRoomForFlowsError, and UnlikeScansError when more than half of the pairs are refused, or
        the first eight.
        """
        if not self._pairs:
            raise NoPairsError
        self._store.clear_remains()
        until = time.monotonic() + _AHEAD_SHARE * clock.seconds if isinstance(clock, WallClock) else None
        outcomes: list[Outcome] = []
        before = len(self._outcomes())  # of a run that was interrupted
        self._show(0, math.nan)
        for outcome in register_pairs(self._pairs, self._store, self._register, intensities=self._mix.intensities):
            outcomes.append(outcome)
            seconds = math.fsum(each.seconds for each in outcomes) / len(outcomes)
            left = seconds * (len(self._pairs) - max(len(outcomes), before))
            self._show(len(outcomes), left if until is None else min(left, max(0.0, until - time.monotonic())))
            if len(outcomes) == _HOPELESS and all(each.refused for each in outcomes):
                break
            if until is not None and time.monotonic() > until and len(outcomes) >= _FEWEST_TRIED:
                self._growing = len(outcomes) < len(self._pairs)
                break
        refused = sum(outcome.refused is not None for outcome in outcomes)
        if not outcomes:
            raise NoRoomForFlowsError(self._mix.disk)
        self._write_table(outcomes)
        if 2 * refused > len(outcomes):
            raise UnlikeScansError(outcomes)
        self._tell(outcomes, later="; the others follow while training" if self._growing else "")

    def _show(self, done: int, left: float) -> None:
        """Tell how many pairs are registered, and how long those that are registered before training will take."""
        total = len(self._pairs)
        time_left = {"left": told(left)} if math.isfinite(left) else {}
        self._progress.status("Registering", done / total, {"pairs": f"{done} of {total}", **time_left})

    def deformations(self) -> Deformations:
        """Return what draws a deformation for each patch."""
        flows = ReadyFlows(self._of_each, self._store, growing=self._growing)
        return Deformations(self._plan.training.augmentation, self._plan.training.seed, flows)

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Register in the background what was not registered ahead, and tell at the end what came of it."""
        if not self._growing:
            yield
            return
        background = BackgroundRegistration(self._pairs, self._store, intensities=self._mix.intensities)
        try:
            with background:
                yield
        finally:
            self._tell(self._outcomes())
            self._write_table(self._outcomes())
            if background.failure:
                self._progress.note(f"Warning: registration ended early: {background.failure}")

    def results(self) -> dict[str, int]:
        """Return numbers for the run's record: pairs drawn, registered and used, and refused."""
        outcomes = self._outcomes()
        refused = sum(outcome.refused is not None for outcome in outcomes)
        return {
            "registration/pairs": len(self._pairs),
            "registration/used": len(outcomes) - refused,
            "registration/refused": refused,
        }

    def _outcomes(self) -> list[Outcome]:
        found = (self._store.outcome(pair) for pair in self._pairs)
        return [outcome for outcome in found if outcome is not None]

    def _tell(self, outcomes: Sequence[Outcome], later: str = "") -> None:
        """Tell how many pairs there are, how many were refused and why, and which scans they have in common."""
        refused = [outcome for outcome in outcomes if outcome.refused]
        number, total = len(outcomes) - len(refused), len(self._pairs)
        self._progress.note(f"Registered {number} of {total} pairs with unlabelled scans{later}")
        if not self._growing and len(outcomes) < total:
            self._progress.note(
                f"No room for {total - len(outcomes)} pairs in {show_bytes(self._mix.disk)} "
                "(training.augmentation.registration.disk)"
            )
        if refused:
            self._progress.note(
                f"Refused {len(refused)} pairs, all in {self._table}; the first: "
                f"{refused[0].labelled} to {refused[0].unlabelled}: {refused[0].refused}"
            )
        for kind, all_of, refused_of in (
            ("unlabelled", [each.unlabelled for each in outcomes], [each.unlabelled for each in refused]),
            ("labelled", [each.labelled for each in outcomes], [each.labelled for each in refused]),
        ):
            if named := _mostly_refused(all_of, refused_of):
                self._progress.note(f"Most pairs were refused of the {kind} scans {_listed(named)}: look at them")

    def _write_table(self, outcomes: Sequence[Outcome]) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(
            ["labelled", "unlabelled", "similarity_before", "similarity_after", "folding", "seconds", "refused"]
        )
        for each in outcomes:
            before, after = each.similarity or ("", "")
            folding = "" if each.folding is None else each.folding
            table.writerow([each.labelled, each.unlabelled, before, after, folding, each.seconds, each.refused or ""])
        write_text(self._table, text.getvalue())


def _different(scans: Sequence[CachedScan], progress: Progress) -> list[CachedScan]:
    """Return `scans` without those that hold the same as an earlier one, whatever their files are called; tell them."""
    first: dict[str, CachedScan] = {}
    copies = [
        f"{scan.name} (as {first[scan.content].name})"
        for scan in scans
        if first.setdefault(scan.content, scan) is not scan
    ]
    if copies:
        progress.note(f"Unlabelled scans that hold the same as another one, and are left out: {_listed(copies)}")
    return list(first.values())


def _too_few(scans: int, partners: int) -> str:
    """Return what there is to say of fewer different scans than each labelled case should have partners."""
    if scans == 1:
        return "Only 1 unlabelled scan: every registered patch takes its shape, which is little variety"
    return f"Only {scans} different unlabelled scans: each labelled case gets all of them, not {partners}"


def _mostly_refused(all_of: Sequence[str], refused: Sequence[str]) -> list[str]:
    """Return the names of which more than half, and at least two, were refused."""
    tried = Counter(all_of)
    return [name for name, number in Counter(refused).items() if number >= 2 and 2 * number > tried[name]]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
