"""What a training run was asked for and how far it is: run.json in the folder of a run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["running", "interrupted", "done"]


class RunRecord(BaseModel):
    """What was asked for, and how far it is. Written to run.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    leanseg: str
    dataset: str
    fold: int
    minutes: float | None
    steps: int | None
    device: str
    precision: str
    unlabelled: str | None = None
    state: State
    results: dict[str, float | int | str | None] = {}
