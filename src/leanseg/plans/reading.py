"""Plans on disk: JSON, read strictly, with the path of every key that is wrong."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from leanseg.errors import InputError, did_you_mean
from leanseg.plans.network_facts import complete_options, own_networks
from leanseg.plans.plan import Network, Plan
from leanseg.storage import encodable, open_plain, write_text

_LARGEST_PLAN = 1_000_000  # bytes; a plan has a few kilobytes, so anything bigger is not one
_MOST_TOLD = 20  # problems in one message


class PlanError(InputError):
    """A plan file cannot be used."""

    def __init__(
        self, path: Path | str, problem: str, fix: str = "correct it, or make a new one: leanseg plan"
    ) -> None:
        super().__init__(what=f"{path}: {problem}", why="a plan is followed to the letter or not at all", fix=fix)


def read_plan(path: Path) -> Plan:
    """Return the plan in the JSON file `path`. Raises PlanError naming every wrong key (the first 20).

    Options are those that leanseg's own network of that name has. Other networks are known to the registry alone, and
    what is in a package is done with training: there `parse_plan` reads whatever the network's options were then.
    """
    try:
        with io.BufferedReader(open_plain(path)) as file:
            content = file.read(_LARGEST_PLAN + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(path, f"cannot be read ({error})", "give the path of a plan.json") from error
    if not 0 < len(content) <= _LARGEST_PLAN:
        size = f"more than {_LARGEST_PLAN:,}" if content else "no"
        raise PlanError(path, f"has {size} bytes, so it is no plan", "give the path of a plan.json")
    plan = parse_plan(text, path)
    if wrong := list(_wrong_options(plan.network)):
        raise PlanError(path, "; ".join(wrong[:_MOST_TOLD]))
    return plan


def parse_plan(text: str, source: Path | str) -> Plan:
    """Return the plan written in `text`; `source` is only named in errors. Raises PlanError.

    Nothing is guessed: "36" and true are no numbers, and a key that stands twice is refused.
    """
    try:
        json.loads(text, object_pairs_hook=_refuse_twice)
        return Plan.model_validate_json(text, strict=True)
    except _TwiceError as error:
        raise PlanError(source, f"key {error} stands twice in one place") from error
    except ValidationError as error:
        problems = error.errors()
        more = f"; and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
        raise PlanError(source, "; ".join(map(_explain, problems[:_MOST_TOLD])) + more) from error
    except (ValueError, RecursionError) as error:
        raise PlanError(source, f"is not JSON ({error})") from error


def write_plan(path: Path, plan: Plan) -> None:
    """Write `plan` as JSON, whole or not at all."""
    write_text(path, plan_text(plan))


def plan_text(plan: Plan) -> str:
    """Return `plan` as JSON, as it stands in a file."""
    return encodable(plan.model_dump_json(indent=2) + "\n")


def _wrong_options(network: Network) -> Iterator[str]:
    """Yield what is wrong with each option of one of leanseg's own networks."""
    if network.name not in own_networks():
        return
    known = own_networks()[network.name]
    for key, value in network.options.items():
        try:
            complete_options(known, {key: value})
        except InputError as error:
            yield f"network.options.{key}: {error.what}"


class _TwiceError(Exception):
    """A key stands twice in one JSON object."""


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(key)
        found[key] = value
    return found


def _explain(problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    path = ".".join(location) or "plan"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {path}{_suggestion(location)}"
    return f"{path}: {problem['msg'].removeprefix('Value error, ')}"


def _suggestion(location: list[str]) -> str:
    """Return ' (did you mean ...?)' with the closest key that exists at the same place."""
    model: Any = Plan
    for part in location[:-1]:
        model = (
            _inner_model(model.model_fields[part].annotation) if part in getattr(model, "model_fields", {}) else model
        )
    known = getattr(model, "model_fields", {})
    return f" ({did_you_mean(location[-1], known) or 'known here: ' + ', '.join(known)})"


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)
