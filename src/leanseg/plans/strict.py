"""The base of everything a person may edit: unknown keys are refused, values are frozen once read."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Triple = tuple[
    Annotated[int, Field(ge=1)],
    Annotated[int, Field(ge=1)],
    Annotated[int, Field(ge=1)],
]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """Frozen; no key beyond the declared ones; numbers must be finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
