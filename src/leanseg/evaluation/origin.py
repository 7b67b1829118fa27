"""Where predictions come from that were made to be judged, for whoever reads the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Origin:
    """What a report says about a package that was tried on a data set.

    heading: of the page. sources: what stands below it. judged, cautions: sentences. record: what metrics.json gets.
    """

    heading: str
    sources: Mapping[str, str]
    judged: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
