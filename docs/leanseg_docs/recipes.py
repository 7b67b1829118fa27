"""The page of the recipes: what each reproduces, what was published, and what leanseg does otherwise."""

from leanseg.plans.recipe import Published, Recipe, own_recipes


def recipe_table() -> str:
    """Return a table of all recipes."""
    rows = [f"| [`{name}`](#{name}) | {recipe.title} | {recipe.data.name} |" for name, recipe in own_recipes().items()]
    return "\n".join(["| recipe | what it reproduces | data set |", "|---|---|---|", *rows])


def recipes_described() -> str:
    """Return a section for every recipe."""
    return "\n\n".join(map(_section, own_recipes().values()))


def _section(recipe: Recipe) -> str:
    unlabelled = " --unlabelled DIR" if recipe.data.unlabelled else ""
    fold = " --fold all" if recipe.folds.trained.value == "all" else ""
    parts = [
        f"### {recipe.name} {{ #{recipe.name} }}",
        f"{recipe.title}. {recipe.source}.",
        f"Data: {recipe.data.name}. {recipe.data.layout}",
        f"Unlabelled: {recipe.data.unlabelled}." if recipe.data.unlabelled else "",
        f"```text\nleanseg train DATASET --recipe {recipe.name}{unlabelled}{fold} -o RUN\n```",
        *map(_scores, recipe.published),
        "Not reproduced:\n\n"
        + "\n".join(f"- {each.what} ({each.origin}). {each.why}" for each in recipe.not_reproduced)
        if recipe.not_reproduced
        else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _scores(published: Published) -> str:
    columns = list(dict.fromkeys(name for row in published.rows.values() for name in row))
    lines = [
        f"| {method} | {' | '.join(f'{row[name]:g}' if name in row else '-' for name in columns)} |"
        for method, row in published.rows.items()
    ]
    head = [f"| {published.metric} | {' | '.join(columns)} |", "|" + "---|" * (len(columns) + 1)]
    said = "The paper" if published.origin == "paper" else "The released code"
    return f"{said}: {published.where}.\n\n" + "\n".join([*head, *lines])
