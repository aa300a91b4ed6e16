"""What pictures are like, told as columns where it matters: colour or grey, and nothing in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.records import Column

COLOUR, CONTENT = "image_colour", "image_content"
FLAT = "one flat value"
LOOKS = (
    Column(COLOUR, "category", "ignored", note="Whether the picture is in colour; a model could "
           "learn the device from it instead of the disease."),
    Column(CONTENT, "category", "ignored", note="Whether anything is in the picture at all."),
)  # fmt: skip


def describe_look(pixels: np.ndarray, colour: bool) -> dict[str, str]:
    """Return the cells of `LOOKS` for a picture or a volume.

    >>> describe_look(np.zeros((2, 2)), colour=False)
    {'image_colour': 'grey', 'image_content': 'one flat value'}
    """
    flat = bool(pixels.min() == pixels.max())
    return {COLOUR: "colour" if colour else "grey", CONTENT: FLAT if flat else "a picture"}


def is_telling(column: Column, values: pd.Series) -> bool:
    """Tell whether a column of facts is worth showing: looks only where one is out of the usual."""
    if column.name == COLOUR:
        return values.nunique() > 1
    return column.name != CONTENT or bool(values.eq(FLAT).any())
