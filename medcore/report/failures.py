"""The report's section on the images that the model was most wrong about."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from medcore.data.media import read_image
from medcore.errors import MedcoreError
from medcore.evaluate.failures import called_rows, shared_traits, worst_cases
from medcore.figures.pictures import encode_picture, show_grey
from medcore.records import Column, Dataset
from medcore.report.facts import Facts
from medcore.report.further import Section
from medcore.store.folder import read_predictions

MOST, SIDE = 8, 160
TASKS = ("binary", "multiclass")
HEAD = ("What they share", "Test rows", "Called wrongly", "Share", "Among the others")


def failures_section(facts: Facts, dataset: Dataset | None) -> Section | None:
    """Return the worst cases by confidence with their pictures; None for runs without images.

    Without the data set there are no pictures and nothing can be shared but the outcome.
    """
    images = [column.name for column in facts.inputs if column.kind == "image"]
    if not images or facts.evaluation.task not in TASKS:
        return None
    told = read_predictions(facts.folder)
    threshold = facts.evaluation.parts["test"].threshold
    called = called_rows(told.frame, told.classes, told.positive, threshold)
    worst = worst_cases(called)
    if called.empty:
        return None
    said = [
        f"{len(worst):,} of {len(called):,} test rows are called wrongly, "
        + ("by the likeliest class." if threshold is None else f"at the threshold {threshold:.2f}.")
    ]
    pictures: list[Markup] = []
    if len(worst):
        said.append("Those the model was surest of stand first.")
        pictures = _draw(dataset, images[0], worst.head(MOST))
        if not pictures:
            said.append("Their pictures are no longer there to be shown.")
    table = pd.DataFrame() if dataset is None else dataset.frame
    columns = [c for c in facts.columns if c.name in table and c.role != "patient"]
    rows = _share(called, table, columns)
    if not rows:
        said.append("Nothing that is known of them sets them apart from the others.")
    return Section("Where it was most wrong", tuple(said), HEAD, rows, tuple(pictures))


def _draw(dataset: Dataset | None, image: str, worst: pd.DataFrame) -> list[Markup]:
    if dataset is None or dataset.media is None or image not in dataset.frame:
        return []
    drawn = []
    for case in worst.itertuples():
        cell = dataset.frame[image].get(case.row_id)
        if cell is None or pd.isna(cell):
            continue
        try:
            source = encode_picture(show_grey(read_image(dataset.media, str(cell))), SIDE)
        except MedcoreError:
            continue
        words = (
            f"Row {case.row_id + 1}: is {case.outcome}, called {case.called} "
            f"({case.probability:.2f})"
        )
        drawn.append(
            Markup(
                '<figure><img src="{}" alt="{}"><figcaption class="note">{}</figcaption></figure>'
            ).format(source, words, words)
        )
    return drawn


def _share(
    called: pd.DataFrame, table: pd.DataFrame, columns: Sequence[Column]
) -> list[tuple[str, list[str]]]:
    return [
        (
            f"{row.column} = {row.group}",
            [f"{row.rows:,}", f"{row.wrong:,}",
             f"{row.share:.0%} ({row.low:.0%}–{row.high:.0%})", f"{row.others:.0%}"],
        )
        for row in shared_traits(called, table, columns).itertuples()
    ]  # fmt: skip
