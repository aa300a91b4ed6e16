"""Courses of visits: batches cut out of the visits beside a loop over rows, and what they tell.

Speed: batches of 64 courses of 200 visits of 20 values, 40 % of them measured, beside what one
writes first, a padded array filled patient by patient from their rows of a data frame. Quality: on
synthetic courses whose missingness is informative, and on others where it is not, the AUROC of
GRU-D and of the transformer less that of a regression of the last values, of the same patients,
with the lower bound of its interval (DeLong, paired).
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset
from medcore.data.progression import progression_dataset
from medcore.evaluate.ranking import compare_areas
from medcore.models.series import SERIES_ENCODERS
from medcore.predict import predict_member
from medcore.prepare import fit_preparation, prepare_rows
from medcore.prepare.windows import Windows
from medcore.recipes.units import fit_unit
from medcore.records import Prepared
from tests.benchmarks import Row

VISITS, VALUES, PATIENTS, BATCH = 200, 20, 640, 64
COHORT = 2_000
SETTINGS = {"train.epochs": 15, "train.batch_size": 64, "train.learning_rate": 5e-3}


def rows() -> Iterator[Row]:
    """Yield the figures of courses."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield _batch_row()
        yield _step_row()
        for informative in (True, False):
            yield from _quality_rows(informative)
    finally:
        torch.set_num_threads(threads)


def make_windows() -> tuple[Windows, pd.DataFrame]:
    """Return courses of 200 visits as windows, and the same as a data frame."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(PATIENTS * VISITS, VALUES)).astype(np.float32)
    values[rng.random(values.shape) < 0.6] = np.nan
    time_of = np.tile(np.arange(VISITS, dtype=np.float64), PATIENTS)
    start = np.arange(PATIENTS) * VISITS
    stop = start + VISITS
    windows = Windows(values, time_of, start, stop, time_of[stop - 1], VISITS, 1.0)
    frame = pd.DataFrame(values)
    frame.insert(0, "time", time_of)
    frame.insert(0, "patient", np.repeat(np.arange(PATIENTS), VISITS))
    return windows, frame


def loop_batch(frame: pd.DataFrame, items: np.ndarray) -> np.ndarray:
    """Return the batch as a loop over patients and visits fills it."""
    out = np.zeros((len(items), VISITS, 2 + 2 * VALUES), np.float32)
    for place, item in enumerate(items):
        own = frame[frame["patient"] == item].sort_values("time")
        end = own["time"].iloc[-1]
        for step, row in enumerate(own.itertuples(index=False)):
            told = np.array(row[2:], np.float32)
            known = ~np.isnan(told)
            out[place, step, 0], out[place, step, 1] = 1, row[1] - end
            out[place, step, 2 : 2 + VALUES] = np.where(known, told, 0)
            out[place, step, 2 + VALUES :] = known
    return out


def _batch_row() -> Row:
    windows, frame = make_windows()
    orders = np.random.default_rng(1).permutation(PATIENTS).reshape(-1, BATCH)
    assert np.allclose(windows[orders[0]], loop_batch(frame, orders[0]))
    ours = _seconds(lambda: [windows[order] for order in orders]) / len(orders)
    loop = _seconds(lambda: loop_batch(frame, orders[0]), repeats=1)
    detail = f"{1 / ours:,.0f} and {1 / loop:.1f} batches/s"
    return Row("batches of courses, 64 × 200 visits × 20 values", loop / ours, ">= 20",
               "a loop over patients and visits", detail)  # fmt: skip


def _step_row() -> Row:
    windows, _ = make_windows()
    batch = torch.from_numpy(windows[np.arange(BATCH)])
    spec = {"shape": list(windows.shape[1:]), "settings": {"width": 48}}
    seconds = {}
    for name in ("gru_d", "gru"):
        torch.manual_seed(0)
        model = SERIES_ENCODERS[name](spec)

        def step(model: torch.nn.Module = model) -> None:
            model(batch).square().mean().backward()

        step()
        seconds[name] = _seconds(step, repeats=3)
    rates = ", ".join(f"{name} {1 / took:.1f} batches/s" for name, took in seconds.items())
    return Row("a step of GRU-D, 64 × 200 visits × 20 values", seconds["gru_d"] / seconds["gru"],
               "<= 6.0", "PyTorch's own GRU of the same width", rates)  # fmt: skip


def _seconds(work: Callable, repeats: int = 5) -> float:
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def _quality_rows(informative: bool) -> Iterator[Row]:
    learn, judge, test = _cohort(informative)
    config = change_config(RunConfig(), SETTINGS)
    said = {}
    for name in ("last_logistic", "gru_d", "time_transformer"):
        unit = fit_unit(name, 0, name, learn, judge, config, folder=None,
                        emit=lambda _: None, stopping=lambda: False)  # fmt: skip
        said[name] = predict_member(unit.fitted, test)[:, 1]
    kind = "informative" if informative else "uninformative"
    for name in ("gru_d", "time_transformer"):
        gain, low, high = compare_areas(test.outcome, said[name], said["last_logistic"])[:3]
        detail = (
            f"difference of AUROC {gain:.3f} ({low:.3f} to {high:.3f}), {len(test.row_id)} rows"
        )
        yield Row(f"{name}, {kind} missingness", low, ">= 0" if informative else "",
                  "a regression of the last values", detail)  # fmt: skip


def _cohort(informative: bool) -> tuple[Prepared, Prepared, Prepared]:
    config = change_config(RunConfig(), SETTINGS)
    dataset = configure_dataset(progression_dataset(COHORT, informative=informative), config)
    ids = np.random.default_rng(0).permutation(dataset.frame.index.to_numpy())
    parts = [np.sort(part) for part in np.split(ids, [COHORT // 2, 13 * COHORT // 20])]
    preparation = fit_preparation(dataset, parts[0], config, ("no", "yes"))
    return tuple(prepare_rows(preparation, dataset, part) for part in parts)
