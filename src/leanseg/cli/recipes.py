"""leanseg recipes: published experiments, and where each of their values comes from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanseg.cli.options import JsonOption

if TYPE_CHECKING:
    from leanseg.plans.recipe import Published, Recipe, Stated


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Recipe to show; left out, all are listed", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show published experiments that can be repeated.

    A recipe holds everything that was published about an experiment: data set, preprocessing, network, training,
    inference and scores. Each value says whether the paper states it, the released code does, or we chose it.

    Example: leanseg recipes e2enet-amos-ct
    """
    from leanseg.cli.console import show_json
    from leanseg.plans.recipe import own_recipes, read_recipe

    if name is not None:
        recipe = read_recipe(name)
        show_json(recipe.model_dump(mode="json", by_alias=True)) if as_json else _show(recipe)
    elif as_json:
        show_json({name: each.model_dump(mode="json", by_alias=True) for name, each in own_recipes().items()})
    else:
        _list(list(own_recipes().values()))


def _list(found: "list[Recipe]") -> None:
    from leanseg.cli.closing import go_on
    from leanseg.cli.console import table

    rows = [(each.name, each.network.name.value, each.data.name, _length(each)) for each in found]
    table(("recipe", "network", "data set", "training"), rows)
    go_on("recipes", "NAME")


def _length(recipe: "Recipe") -> str:
    length = recipe.length
    if length.steps is not None:
        return f"{length.steps.value:,} steps"
    assert length.epochs is not None
    each = "" if length.steps_per_epoch is None else f" of {length.steps_per_epoch.value} steps"
    return f"{length.epochs.value:,} epochs{each}"


def _show(recipe: "Recipe") -> None:
    from leanseg.cli.closing import go_on
    from leanseg.cli.console import table

    typer.echo(f"{recipe.name}: {recipe.title}\n{recipe.source}")
    typer.echo(f"Data: {recipe.data.name}. {recipe.data.layout}")
    table(("key", "value", "from", "note"), [_row(key, stated) for key, stated in _leaves(recipe, "")])
    for published in recipe.published:
        _show_scores(published)
    for missing in recipe.not_reproduced:
        typer.echo(f"Not reproduced: {missing.what} (said by the {missing.origin}). {missing.why}")
    if recipe.data.unlabelled:
        typer.echo(f"Unlabelled: {recipe.data.unlabelled}.")
    fold = ("--fold", "all") if recipe.folds.trained.value == "all" else ()
    unlabelled = ("--unlabelled", "DIR") if recipe.data.unlabelled else ()
    go_on("train", "DATASET", "--recipe", recipe.name, *unlabelled, *fold, "-o", "RUN")


def _leaves(value: Any, path: str) -> "Iterator[tuple[str, Stated[Any]]]":
    """Yield every stated value by its path, in the order of the file."""
    from pydantic import BaseModel

    from leanseg.plans.recipe import Stated

    if isinstance(value, Stated):
        yield path, value
    elif isinstance(value, dict | BaseModel):
        for key, each in dict(value).items():
            yield from _leaves(each, f"{path}.{key}".removeprefix("."))


def _row(key: str, stated: "Stated[Any]") -> tuple[str, str, str, str]:
    return key, _written(stated.value), stated.origin, stated.note


def _show_scores(published: "Published") -> None:
    from leanseg.cli.console import table

    columns = list(dict.fromkeys(name for row in published.rows.values() for name in row))
    table(
        ("", *columns),
        [(method, *(_written(row.get(name)) for name in columns)) for method, row in published.rows.items()],
        title=f"{published.metric} ({published.origin}: {published.where})",
    )


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        inside = [f"[{_written(each)}]" if isinstance(each, list | tuple) else _written(each) for each in value]
        return ", ".join(inside) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_written(each)}" for key, each in value.items())
    if hasattr(value, "model_dump"):
        return _written(value.model_dump(exclude_none=True))
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
