"""Whether how an image was made tells the outcome, without looking at what is in the picture.

A network that can tell the outcome from the scanner, the view or the rim of a picture will learn
that instead of the disease, and fail where images are made otherwise (Zech et al. 2018).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.checks.gaps import FOLDS, scale_features
from medcore.config import generator
from medcore.data.dicom.facts import COLUMNS, MADE
from medcore.data.media import read_image
from medcore.errors import MedcoreError
from medcore.evaluate.ranking import delong
from medcore.records import Column, Dataset, Finding

# Images looked at, the fewest of a class, and the AUROC from which a shortcut is spoken of.
MOST_IMAGES, FEWEST, STRONG = 400, 20, 0.6
Z, RIM, MOST_NAMED, MOST_CLASSES = 1.959963984540054, 0.06, 5, 12
PICTURE = ("height", "width", "slices", "colour", "rim brightness", "rim contrast")
HOW = {"images", "text_in_image", "site", *(c.name for c in COLUMNS if c.note == MADE)}


@dataclass(frozen=True)
class Shortcut:
    """What the facts about images tell of the outcome: the AUROC, cross-validated, with bounds.

    `target` is the value of the outcome that is told from the others; `facts` are the facts looked
    at with the AUROC of each alone, the strongest first; `rows` how many images, one a patient.
    """

    target: str
    auroc: float
    low: float
    high: float
    rows: int
    facts: tuple[tuple[str, float], ...]

    @property
    def strong(self) -> bool:
        """Tell whether the facts surely tell something of the outcome."""
        return self.low > STRONG


def measure_shortcut(dataset: Dataset, seed: int = 0) -> Shortcut | None:
    """Return what size, spacing, maker, view, site, writing and the pictures' rims tell.

    A cross-validated ridge regression, one image a patient, with DeLong's interval. Of several
    classes, the one that is told best; of numbers, whether they lie above the median. None without
    images or with too few of them to tell.
    """
    outcome = dataset.predicted_column()
    images = [c.name for c in dataset.with_role("input") if c.kind == "image"]
    if outcome is None or not images or dataset.media is None:
        return None
    rows = _draw(dataset, images[0], outcome, seed)
    targets = _targets(dataset.frame.loc[rows, outcome.name], outcome)
    if not targets:
        return None
    facts, columns = _gather(dataset, images[0], rows)
    if not columns:
        return None
    features, sources, _ = scale_features(facts, columns)
    fold = generator(seed, "shortcuts", "folds").permutation(len(rows)) % FOLDS
    told = {name: _judge(event, _predict(features, event, fold)) for name, event in targets.items()}
    best = max(told, key=lambda name: told[name][0])
    alone = {
        name: _judge(targets[best], _predict(features[:, sources == name], targets[best], fold))[0]
        for name in dict.fromkeys(sources)
    }
    ranked = sorted(alone.items(), key=lambda pair: -pair[1])
    return Shortcut(best, *told[best], len(rows), tuple(ranked))


def check_shortcuts(dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding where how the images were made tells the outcome."""
    found = measure_shortcut(dataset)
    if found is None or not found.strong:
        return
    outcome = dataset.predicted_column()
    assert outcome is not None
    yield Finding(
        "shortcut", "warning", (outcome.name,),
        f"How the images were made tells '{outcome.name}' "
        f"(AUROC {found.auroc:.2f}, {found.low:.2f}–{found.high:.2f})",
        f"{say_shortcut(found, outcome.name)} A network can learn that instead of the disease, and "
        "then fails where images are made otherwise. Look at the images class by class on Images; "
        "keep images of one kind, crop them alike, or test on a site of its own.",
        {"auroc": found.auroc, "low": found.low, "high": found.high, "images": found.rows,
         **{f"{name} alone": area for name, area in found.facts[:MOST_NAMED]}},
    )  # fmt: skip


def say_shortcut(found: Shortcut, outcome: str) -> str:
    """Return what the facts about images tell, in a sentence."""
    named = ", ".join(f"{name} ({area:.2f})" for name, area in found.facts[:MOST_NAMED])
    return (
        f"Without the picture, from facts about the file alone, '{outcome} = {found.target}' is "
        f"told with AUROC {found.auroc:.2f} ({found.low:.2f}–{found.high:.2f}) in {found.rows:,} "
        f"images, one a patient; 0.5 is luck. Each fact alone: {named}."
    )


def _draw(dataset: Dataset, image: str, outcome: Column, seed: int) -> np.ndarray:
    """Return the ids of rows with an image and an outcome: one a patient, some of very many."""
    frame = dataset.frame
    known = frame[frame[image].notna() & frame[outcome.name].notna()]
    order = generator(seed, "shortcuts").permutation(len(known))
    known = known.iloc[order]
    for patient in dataset.with_role("patient"):
        own = known[patient.name].astype("string")
        own = own.where(own.notna(), known.index.astype("string").to_series(known.index) + "?")
        known = known[~own.duplicated().to_numpy()]
    return np.sort(known.index.to_numpy()[:MOST_IMAGES])


def _targets(values: pd.Series, outcome: Column) -> dict[str, np.ndarray]:
    """Return what is to be told, as 0 and 1, where both are there often enough."""
    if outcome.kind == "number" and values.nunique() > MOST_CLASSES:
        middle = float(values.median())
        made = {f"above {middle:g}": (values > middle).to_numpy(np.float64)}
    else:
        words = values.astype("string")
        counts = words.value_counts()
        # Of two classes one tells the other.
        names = counts.index[-1:] if len(counts) == 2 else counts.index[:MOST_CLASSES]
        made = {str(name): words.eq(name).to_numpy(np.float64) for name in names}
    return {
        name: event for name, event in made.items() if FEWEST <= event.sum() <= len(event) - FEWEST
    }


def _gather(
    dataset: Dataset, image: str, rows: np.ndarray
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """Return the facts about some rows' images, and which of them differ at all."""
    named = {c.name: c for c in dataset.columns if c.name in HOW or c.role == "site"}
    facts = dataset.frame.loc[rows, list(named)].reset_index(drop=True)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        names = dataset.frame.loc[rows, image].astype(str)
        seen = list(pool.map(lambda name: _measure(dataset, name), names))
    pictures = pd.DataFrame(seen, columns=[f"picture {name}" for name in PICTURE])
    columns = [Column(n, c.kind, "input") for n, c in named.items()]
    columns += [Column(name, "number", "input") for name in pictures.columns]
    whole = pd.concat([facts, pictures], axis=1)
    return whole, tuple(c for c in columns if whole[c.name].nunique(dropna=False) > 1)


def _measure(dataset: Dataset, name: str) -> tuple[float, ...]:
    """Return the facts of `PICTURE`; NaN where an image cannot be read."""
    assert dataset.media is not None
    try:
        pixels = read_image(dataset.media, name)
    except MedcoreError:
        return (float("nan"),) * len(PICTURE)
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    slices = len(pixels) if pixels.ndim == 3 and not colour else 1
    flat = pixels.mean(axis=2) if colour else pixels[slices // 2] if pixels.ndim == 3 else pixels
    height, width = flat.shape
    rim = _rim(flat.astype(np.float64), max(1, round(RIM * min(height, width))))
    spread = max(float(np.ptp(flat)), 1e-9)
    bright = (rim.mean() - float(flat.min())) / spread
    return height, width, slices, float(colour), bright, float(rim.std()) / spread


def _rim(flat: np.ndarray, wide: int) -> np.ndarray:
    inner = np.zeros(flat.shape, dtype=bool)
    inner[wide:-wide, wide:-wide] = True
    return flat[~inner]


def _predict(features: np.ndarray, event: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return each row's score from a ridge regression fitted on the other folds."""
    score = np.zeros(len(event))
    for number in range(FOLDS):
        held, own = fold == number, features[fold != number]
        centre, base = own.mean(axis=0), event[fold != number].mean()
        ridge = (own - centre).T @ (own - centre) + np.eye(own.shape[1]) * (1 + 0.01 * len(own))
        weights = np.linalg.solve(ridge, (own - centre).T @ (event[fold != number] - base))
        score[held] = (features[held] - centre) @ weights + base
    return score


def _judge(event: np.ndarray, score: np.ndarray) -> tuple[float, float, float]:
    """Return the AUROC and its 95 % bounds by DeLong."""
    areas, covariance = delong(event, score)
    area, reach = float(areas[0]), Z * float(np.sqrt(max(covariance[0, 0], 0)))
    return area, max(0.0, area - reach), min(1.0, area + reach)
