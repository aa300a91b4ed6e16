"""All fits of a look for luck and optimism, and the figures they give.

Fits see development patients alone; the run's test patients are predicted for the learning curve
only. Each fit's predictions are kept as a file until the end, so that a restart repeats none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.data import configure_dataset, infer_task, outcome_classes, read_labels
from medcore.errors import ConfigError, FitError, MedcoreError
from medcore.evaluate.bootstrap import Measure, bootstrap_metrics
from medcore.evaluate.judge import judge_rows, measure_all
from medcore.evaluate.judged import Judged, keep_named
from medcore.evaluate.tasks import TASKS
from medcore.optimism.fits import Recipe, answer, divided, draw_patients
from medcore.optimism.plan import Effort, count_fits
from medcore.records import Dataset, Event, Metric, Predictions, Split, Watch
from medcore.split import make_split
from medcore.store.files import plain, replacing

FIGURES = {
    "binary": ("auroc", "auprc", "brier", "recall", "specificity", "calibration_slope"),
    "multiclass": ("auroc", "accuracy", "brier", "log_loss"),
    "regression": ("mae", "rmse", "r2"),
    "survival": ("c_index", "uno_c", "integrated_brier"),
}
SMALLEST_SHARE = 0.2


@dataclass
class Desk:
    """What all fits share, and how far they are."""

    recipe: Recipe
    effort: Effort
    watch: Watch
    folder: Path
    done: int = 0
    lost: list[str] = field(default_factory=list)

    def fit_once(self, name: str, fit: Callable[[], pd.DataFrame | None]) -> pd.DataFrame | None:
        """Return a fit's predictions, from its file if it was done before; None when stopped.

        A draw that cannot be fitted counts as lost, and gives an empty frame.
        """
        path = self.folder / f"{name.replace(' ', '-').replace(',', '')}.parquet"
        share = self.done / count_fits(self.effort)
        self.watch.emit(Event(time.time(), "optimism", name, 0.02 + 0.9 * min(1.0, share)))
        self.done += 1
        if path.is_file():
            return pd.read_parquet(path)
        if self.watch.stopping():
            return None
        try:
            frame = fit()
        except FitError as error:
            self.lost.append(f"{name}: {error}")
            return pd.DataFrame()
        if frame is not None:
            with replacing(path) as file:
                frame.to_parquet(file, index=False)
        return frame

    def judge(self, frame: pd.DataFrame, name: str) -> Judged:
        """Return the test rows of one name, at the thresholds of its held-out rows."""
        recipe = self.recipe
        data = recipe.dataset
        predictions = Predictions(
            recipe.task, recipe.classes, recipe.positive, frame, data.horizons, data.times
        )
        return judge_rows(predictions, name, recipe.config)

    def measure(self, rows: Judged) -> Measure:
        """Return the figures that are compared."""
        task = rows.predictions.task
        return keep_named(measure_all(rows), FIGURES.get(task, TASKS[task].subgroup))


def find_optimism(
    dataset: Dataset,
    config: RunConfig,
    split: Split,
    effort: Effort,
    folder: Path,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
) -> dict[str, Any] | None:
    """Fit a run's recipe again on other patients; returns figures, JSON-ready; None when stopped.

    `split` is the run's own, `folder` keeps finished fits. Raises `MedcoreError` when the patients
    allow no such fits.
    """
    ready = configure_dataset(dataset, config)
    if infer_task(ready, config) == "effect":
        raise ConfigError(
            "An effect of treatment is cross-fitted over all patients already, and its interval "
            "tells chance; there is no test part whose luck could be asked about."
        )
    classes, positive = outcome_classes(ready, config)
    parts = split.parts if "test" in split.parts else {**(split.folds or ({},))[0]}
    everybody = np.concatenate(list(split.parts.values()))
    own = everybody if split.folds else np.setdiff1d(everybody, parts["test"])
    recipe = Recipe(ready, config, classes, positive, watch)
    desk = Desk(recipe, effort, watch, folder)
    steps = {
        "cross_validation": lambda: _cross_validate(desk, recipe.take(np.sort(own))),
        "bootstrap": lambda: _bootstrap(desk, recipe.take(np.sort(own))),
        "learning_curve": lambda: _learn_by_size(desk, parts),
    }
    found: dict[str, Any] = {"created": time.time(), "effort": asdict(effort)}
    for name, step in steps.items():
        told = step()
        if told is None:
            return None
        found[name] = told
    found |= {"rows": len(own), "fits": desk.done, "lost": desk.lost, "folds": bool(split.folds)}
    return plain(found)


def _cross_validate(desk: Desk, dataset: Dataset) -> dict[str, Any] | None:
    """Predict each patient out of fold, several times; the mean over repeats, and each fold's."""
    effort, recipe = desk.effort, desk.recipe
    split = make_split(dataset, divided(recipe.config, effort.folds, effort.repeats))
    repeats: list[list[Judged]] = [[] for _ in range(effort.repeats)]
    for number, parts in enumerate(split.folds or ()):
        repeat, fold = divmod(number, effort.folds)
        name = f"Cross-validation {repeat + 1}, fold {fold + 1}"

        def fit(parts=parts, name=name) -> pd.DataFrame | None:
            fitted = recipe.fit(dataset, parts, name)
            return fitted and answer(recipe, fitted, dataset, {"model": (dataset, parts["test"])})

        frame = desk.fit_once(name, fit)
        if frame is None:
            return None
        if len(frame):
            repeats[repeat].append(desk.judge(frame.assign(fold=number), "model"))
    whole = [_join(rows) for rows in repeats if len(rows) == effort.folds]
    if not whole:
        raise MedcoreError("Too few patients to divide: no fold could be fitted.")
    spread: dict[str, list[float]] = {}
    for rows in (rows for each in repeats for rows in each):
        for name, value in _values(desk.measure(rows), len(rows.frame)).items():
            spread.setdefault(name, []).append(value)
    metrics = _bootstrap_mean(desk, whole)
    return {
        "metrics": {name: asdict(metric) for name, metric in metrics.items()},
        "spread": spread,
        "repeats": len(whole),
    }


def _join(rows: list[Judged]) -> Judged:
    """Return the folds of one repeat as one set of rows, in the order of their ids."""
    frame = pd.concat([each.frame for each in rows], ignore_index=True)
    frame = frame.sort_values("row_id", kind="stable", ignore_index=True)
    thresholds = {fold: value for each in rows for fold, value in each.thresholds.items()}
    patient = frame["patient"].astype(object).where(frame["patient"].notna(), frame["row_id"])
    return Judged(frame, rows[0].predictions, thresholds, pd.factorize(patient)[0])


def _bootstrap_mean(desk: Desk, several: list[Judged]) -> dict[str, Metric]:
    """Return the mean of several judgements of the same rows, with intervals by patient."""
    measures = [desk.measure(rows) for rows in several]

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        told = [each(weights) for each in measures]
        return {name: np.mean([values[name] for values in told], axis=0) for name in told[0]}

    config = desk.recipe.config
    rng = generator(config.seed, "optimism")
    return bootstrap_metrics(measure, several[0].cluster, config.evaluate.resamples, rng)


def _values(measure: Measure, rows: int) -> dict[str, float]:
    return {name: float(value[0]) for name, value in measure(np.ones((1, rows))).items()}


def _bootstrap(desk: Desk, dataset: Dataset) -> dict[str, Any] | None:
    """Correct the apparent figures by the mean optimism of refits on resampled patients.

    Harrell, Lee and Mark (1996): each refit's figures on its own draw, less those on the original
    patients. The interval is that of the apparent figure, moved by the optimism (Noma et al. 2021).
    """
    recipe, rows = desk.recipe, dataset.frame.index.to_numpy()

    def fit_all() -> pd.DataFrame | None:
        fitted = recipe.fit(dataset, recipe.parts(dataset), "apparent")
        return fitted and answer(recipe, fitted, dataset, {"model": (dataset, rows)})

    frame = desk.fit_once("Apparent figures", fit_all)
    if frame is None:
        return None
    apparent = _bootstrap_mean(desk, [desk.judge(frame, "model")])
    gaps: dict[str, list[float]] = {name: [] for name in apparent}
    for number in range(desk.effort.resamples):
        name = f"Bootstrap {number + 1} of {desk.effort.resamples}"
        told = desk.fit_once(name, lambda n=number, name=name: _refit(desk, dataset, n, name))
        if told is None:
            return None
        for figure, gap in _optimism(desk, told):
            gaps[figure].append(gap)
    metrics = {}
    for name, metric in apparent.items():
        known = np.array([gap for gap in gaps[name] if np.isfinite(gap)])
        optimism = float(known.mean()) if len(known) else np.nan
        metrics[name] = {
            "apparent": asdict(metric),
            "optimism": optimism,
            "error": float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan,
            "corrected": asdict(
                Metric(
                    metric.value - optimism, metric.low - optimism, metric.high - optimism,
                    metric.n, metric.method, metric.reason,
                )
            ),
        }  # fmt: skip
    return {"metrics": metrics, "resamples": max((len(gap) for gap in gaps.values()), default=0)}


def _refit(desk: Desk, dataset: Dataset, number: int, name: str) -> pd.DataFrame | None:
    recipe = desk.recipe
    drawn = draw_patients(dataset, generator(recipe.config.seed, "optimism", number))
    outcome = drawn.frame[drawn.predicted_column().name]
    words = set(outcome.astype("string"))
    if drawn.labels:
        have = (read_labels(outcome, drawn.labels) == 1).any(axis=0)
        words = {name for name, there in zip(drawn.labels, have, strict=True) if there}
    if not words >= set(recipe.classes):
        raise FitError("this draw lacks a class.")
    fitted = recipe.fit(drawn, recipe.parts(drawn), name)
    own, original = drawn.frame.index.to_numpy(), dataset.frame.index.to_numpy()
    judged = {"own": (drawn, own), "original": (dataset, original)}
    return fitted and answer(recipe, fitted, drawn, judged)


def _optimism(desk: Desk, frame: pd.DataFrame) -> Iterator[tuple[str, float]]:
    if not len(frame):
        return
    own, original = (
        _values(desk.measure(rows), len(rows.frame))
        for rows in (desk.judge(frame, "own"), desk.judge(frame, "original"))
    )
    for name in own:
        yield name, own[name] - original[name]


def _learn_by_size(desk: Desk, parts: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Fit ever more of the patients, and judge each fit on the same test patients."""
    recipe, effort = desk.recipe, desk.effort
    others = np.concatenate([rows for part, rows in parts.items() if part != "test"])
    pool, test = recipe.take(np.sort(others)), np.sort(parts["test"])
    points = []
    for share in np.linspace(SMALLEST_SHARE, 1, effort.sizes):
        several, sizes = [], []
        for draw in range(effort.draws if share < 1 else 1):
            chosen = _choose(pool, share, generator(recipe.config.seed, "curve", draw))
            name = f"Learning curve {len(chosen.frame)} rows, draw {draw + 1}"

            def fit(chosen=chosen, name=name) -> pd.DataFrame | None:
                fitted = recipe.fit(chosen, recipe.parts(chosen), name)
                return fitted and answer(recipe, fitted, chosen, {"model": (recipe.dataset, test)})

            frame = desk.fit_once(name, fit)
            if frame is None:
                return None
            if len(frame):
                several.append(desk.judge(frame, "model"))
                sizes.append(_count_patients(chosen))
        if several:
            metrics = _bootstrap_mean(desk, several)
            told = {name: asdict(metric) for name, metric in metrics.items()}
            points.append({"patients": int(np.mean(sizes)), "draws": len(several), "metrics": told})
    return {"points": points, "test": len(test)}


def _groups(dataset: Dataset) -> np.ndarray:
    columns = dataset.with_role("patient")
    if not columns:
        return np.arange(len(dataset.frame))
    return pd.factorize(dataset.frame[columns[0].name], use_na_sentinel=False)[0]


def _count_patients(dataset: Dataset) -> int:
    return len(np.unique(_groups(dataset)))


def _choose(dataset: Dataset, share: float, rng: np.random.Generator) -> Dataset:
    """Return a share of the patients; smaller shares are parts of larger ones."""
    groups = _groups(dataset)
    key = rng.permutation(groups.max() + 1)
    kept = key[groups] < np.ceil(share * len(key))
    return replace(dataset, frame=dataset.frame[kept])
