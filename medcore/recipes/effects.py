"""Cross-fitting of an effect: everybody is judged by models that did not learn from them.

Patients are divided into folds. For each fold, models of treatment and outcome and the model of
single patients' effects are learned from the other folds alone; within these, each row's expected
outcomes come from models that also left out the row's own fold (two folds left out). The average
effect is that of Chernozhukov et al. (2018) and Robins, Rotnitzky and Zhao (1994).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.data import treatment_arms
from medcore.evaluate.causal import Compared
from medcore.models.effects import Part
from medcore.predict import FittedModel, Member, Reference, predict_member
from medcore.prepare import Preparation, fit_preparation, prepare_rows
from medcore.prepare.arms import read_arms, with_feature
from medcore.recipes.forest import grow_forest, load_forest
from medcore.recipes.learners import Stage, fit_learner
from medcore.recipes.nuisance import (
    QUANTITIES,
    Reins,
    Stopped,
    answer_members,
    fit_quantity,
    join_members,
    weigh_members,
)
from medcore.records import Dataset, Epoch, Event, Prepared, Seen, Split, Watch

# The network that is the only member of its kind takes most of a run.
NETWORK_COST, LEARNER_COST, FOREST_COST = 12.0, 2.0, 1.0
Change = Callable[[Prepared], Prepared]


@dataclass(frozen=True, eq=False)
class EffectFit:
    """A fitted model of effects, and what was said of each row by models that left its fold out.

    `row_id`, `fold`, `compared`, `chance` (of treatment, as it was before it was bounded) and
    `effect` are in one order, that of the row ids; so are every set in `again`, estimated anew as a
    test of robustness, and `forest`, the effects that a causal forest tells for comparison.
    `weights` and `seen` are by fold.
    """

    model: FittedModel
    row_id: np.ndarray
    fold: np.ndarray
    compared: Compared
    chance: np.ndarray
    effect: np.ndarray
    weights: tuple[dict[str, np.ndarray], ...]
    seen: tuple[tuple[Seen, ...], ...]
    again: Mapping[str, Compared] = field(default_factory=dict)
    forest: np.ndarray | None = None


@dataclass
class Crossing:
    """What cross-fitting is doing: rows by fold, and what is done so far."""

    dataset: Dataset
    config: RunConfig
    classes: Sequence[str]
    folds: tuple[np.ndarray, ...]
    watch: Watch
    folder: Path | None = None
    total: float = 1.0
    done: float = 0.0
    fits: dict[tuple[int, ...], dict[str, dict[str, Any]]] = field(default_factory=dict)
    preparations: dict[tuple[int, ...], Preparation] = field(default_factory=dict)

    def without(self, *left_out: int) -> np.ndarray:
        """Return the row ids of all folds but those left out, sorted."""
        kept = [rows for place, rows in enumerate(self.folds) if place not in left_out]
        return np.sort(np.concatenate(kept))

    def prepare(self, left_out: tuple[int, ...], row_ids: np.ndarray) -> Prepared:
        """Return rows prepared as learned without the folds left out."""
        if left_out not in self.preparations:
            learn = self.without(*left_out)
            made = fit_preparation(self.dataset, learn, self.config, self.classes)
            self.preparations[left_out] = made
        return prepare_rows(self.preparations[left_out], self.dataset, row_ids)

    def reins(self, done: float = 0.0) -> Reins:
        """Return how a fit tells of itself."""

        def tell(title: str, epoch: Epoch | None) -> None:
            share = 0.0 if epoch is None else done * epoch.epoch / epoch.epochs
            self.tell(f"Fitting {title}", share, epoch)

        return Reins(self.watch.stopping, tell, self.folder)

    def tell(self, message: str, more: float = 0.0, epoch: Epoch | None = None) -> None:
        """Emit an event; `more` is what of the running step is done."""
        share = min(1.0, (self.done + more) / self.total)
        self.watch.emit(Event(time.time(), "train", message, share, epoch))


def fit_effects(
    dataset: Dataset,
    split: Split,
    config: RunConfig,
    classes: Sequence[str],
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
    folder: Path | None = None,
) -> EffectFit | None:
    """Cross-fit the average effect and the learner of the settings; None when stopped."""
    forest = load_forest() if config.effect.causal_forest else None
    folds = tuple(fold["test"] for fold in split.folds)
    work = Crossing(dataset, config, classes, folds, watch, folder)
    name = "dr_learner" if config.model.name == "recommended" else config.model.name
    pairs = list(combinations(range(len(folds)), 2))
    cost = NETWORK_COST if name in ("tarnet", "dragonnet") else LEARNER_COST
    tests = robustness_changes(dataset, config) if config.effect.robustness else {}
    work.total = len(pairs) + len(folds) * (1 + cost + len(tests))
    work.total += FOREST_COST * len(folds) if forest else 0
    try:
        for left_out in (*pairs, *((place,) for place in range(len(folds)))):
            told = " and ".join(str(place + 1) for place in left_out)
            work.tell(f"Models of treatment and outcome, without fold {told} of {len(folds)}")
            work.fits[left_out] = fit_quantities(work, left_out)
            work.done += 1
        found = _assemble(work, name, cost)
        again = {}
        for test, change in tests.items():
            work.tell(f"Robustness: {test.replace('_', ' ')}")
            again[test] = estimate_again(work, found.weights, change)
        beside = compare_forest(work, forest) if forest else None
        return replace(found, again=again, forest=beside)
    except Stopped:
        return None


def fit_quantities(
    work: Crossing, left_out: tuple[int, ...], change: Change = lambda rows: rows
) -> dict[str, dict[str, Any]]:
    """Return the members of each quantity, learned without the folds left out."""
    learn = change(work.prepare(left_out, work.without(*left_out)))
    label = "without " + " and ".join(str(place + 1) for place in left_out)
    return {
        name: fit_quantity(name, learn, work.config, label, work.reins()) for name in QUANTITIES
    }


def _assemble(work: Crossing, name: str, cost: float) -> EffectFit:
    members, preparations, told, weights, seen = [], [], [], [], []
    for place, rows in enumerate(work.folds):
        work.tell(f"Who benefits: fold {place + 1} of {len(work.folds)}")
        stage, shares = _make_stage(work, place)
        model = fit_learner(name, stage)
        judged = work.prepare((place,), rows)
        told.append((judged, *answer_parts(stage.parts, judged), predict_member(model, judged)))
        members.append(Member(name, place, 1 / len(work.folds), model))
        preparations.append(work.preparations[(place,)])
        weights.append(shares)
        seen.append(_list_seen(work, place))
        work.done += cost
    cohort = fit_preparation(work.dataset, work.without(), work.config, work.classes)
    row_id = np.concatenate(work.folds)
    order = np.argsort(row_id)
    fold = np.repeat(np.arange(len(work.folds)), [len(rows) for rows in work.folds])[order]
    outcome = np.concatenate([judged.outcome for judged, *_ in told])[order]
    said = [np.concatenate([each[at] for each in told])[order] for at in range(1, 5)]
    compared = join_compared(outcome, said[:3], _clusters(work.dataset, row_id[order]), work.config)
    model = FittedModel(
        work.config.model.name, "effect", tuple(work.classes), cohort, tuple(preparations),
        tuple(members), Reference(compared.scores, said[3]), tuple(cohort.left_out),
    )  # fmt: skip
    return EffectFit(
        model, row_id[order], fold, compared, said[0], said[3], tuple(weights), tuple(seen)
    )


def _make_stage(work: Crossing, place: int) -> tuple[Stage, dict[str, np.ndarray]]:
    """Return what the learner without a fold is given, and the members' weights there.

    The weights come from the other folds too: from what models without two folds say of the second.
    """
    others = [other for other in range(len(work.folds)) if other != place]
    said: dict[str, list[np.ndarray]] = {name: [] for name in QUANTITIES}
    for other in others:
        left_out = (min(place, other), max(place, other))
        rows = work.prepare(left_out, work.folds[other])
        for name in QUANTITIES:
            said[name].append(answer_members(work.fits[left_out][name], rows))
    row_id = np.concatenate([work.folds[other] for other in others])
    fold = np.repeat(others, [len(work.folds[other]) for other in others])
    prepared = work.prepare((place,), row_id)
    parts, means, shares = {}, [], {}
    for name in QUANTITIES:
        answers = np.concatenate(said[name], axis=1)
        truth, inside = _truth(name, prepared)
        binary = name == "propensity" or bool(prepared.classes)
        shares[name] = weigh_members(answers[:, inside], truth[inside], binary)
        parts[name] = join_members(work.fits[(place,)][name], shares[name])
        means.append(shares[name] @ answers)
    cluster = _clusters(work.dataset, row_id)
    compared = join_compared(prepared.outcome, means, cluster, work.config)
    label = f"without {place + 1}"
    reins = work.reins(NETWORK_COST)
    return Stage(prepared, compared, fold, parts, work.config, label, reins), shares


def _truth(name: str, prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Return what a quantity's members should say, and of which rows that is known."""
    arms = read_arms(prepared)
    if name == "propensity":
        return arms, np.ones(len(arms), dtype=bool)
    return prepared.outcome[:, 0], arms == QUANTITIES.index(name) - 1


def robustness_changes(dataset: Dataset, config: RunConfig) -> dict[str, Change]:
    """Return what is done to the rows for each test: treatment dealt anew, a column of noise."""
    row_id = dataset.frame.index.to_numpy(np.int64)
    rng = generator(config.seed, "placebo")
    noise = dict(zip(row_id, rng.normal(size=len(row_id)), strict=True))
    arm = dataset.frame[dataset.with_role("treatment")[0].name]
    treated = (arm == treatment_arms(dataset, config)[1]).to_numpy(np.float64)
    dealt = dict(zip(row_id, rng.permutation(treated), strict=True))

    def permute(rows: Prepared) -> Prepared:
        arms = np.array([dealt[row] for row in rows.row_id.tolist()])
        return replace(rows, outcome=np.column_stack([rows.outcome[:, 0], arms]))

    def confound(rows: Prepared) -> Prepared:
        values = np.array([noise[row] for row in rows.row_id.tolist()])
        return with_feature(rows, "random confounder", values)

    return {"placebo": permute, "random_confounder": confound}


def estimate_again(
    work: Crossing, weights: Sequence[Mapping[str, np.ndarray]], change: Change
) -> Compared:
    """Return what is compared when models of treatment and outcome are fitted to changed rows."""
    outcomes, said = [], []
    for place, rows in enumerate(work.folds):
        fitted = fit_quantities(work, (place,), change)
        parts = {name: join_members(fitted[name], weights[place][name]) for name in QUANTITIES}
        judged = change(work.prepare((place,), rows))
        outcomes.append(judged.outcome)
        said.append(answer_parts(parts, judged))
        work.done += 1
    row_id = np.concatenate(work.folds)
    order = np.argsort(row_id)
    means = [np.concatenate(each)[order] for each in zip(*said, strict=True)]
    cluster = _clusters(work.dataset, row_id[order])
    return join_compared(np.concatenate(outcomes)[order], means, cluster, work.config)


def compare_forest(work: Crossing, forest: type) -> np.ndarray:
    """Return the effects that causal forests tell of the fold each left out, by row id."""
    said = []
    for place, rows in enumerate(work.folds):
        if work.watch.stopping():
            raise Stopped
        work.tell(f"Causal forest: fold {place + 1} of {len(work.folds)}")
        learn = work.prepare((place,), work.without(place))
        judged, label = work.prepare((place,), rows), f"without {place + 1}"
        said.append(grow_forest(forest, learn, judged, work.config, label))
        work.done += FOREST_COST
    return np.concatenate(said)[np.argsort(np.concatenate(work.folds))]


def answer_parts(parts: dict[str, tuple[Part, ...]], prepared: Prepared) -> tuple[np.ndarray, ...]:
    """Return each quantity's weighted mean for rows, in the order of `QUANTITIES`."""
    return tuple(
        np.array([part.weight for part in parts[name]])
        @ answer_members({str(at): part.fitted for at, part in enumerate(parts[name])}, prepared)
        for name in QUANTITIES
    )


def join_compared(
    outcome: np.ndarray, said: Sequence[np.ndarray], cluster: np.ndarray, config: RunConfig
) -> Compared:
    """Return rows to compare; chances of treatment nearer to 0 or 1 than allowed are bounded."""
    chance, untreated, treated = said
    least = config.effect.overlap
    bounded = np.clip(chance, least, 1 - least)
    return Compared(outcome[:, 0], outcome[:, 1], bounded, untreated, treated, cluster)


def _clusters(dataset: Dataset, row_id: np.ndarray) -> np.ndarray:
    """Return a number per patient; a row without a patient stands alone."""
    columns = dataset.with_role("patient")
    if not columns:
        return np.arange(len(row_id))
    patient = dataset.frame.loc[row_id, columns[0].name].astype(object)
    return pd.factorize(patient.where(patient.notna(), [f"row {row}" for row in row_id]))[0]


def _list_seen(work: Crossing, place: int) -> tuple[Seen, ...]:
    """Write down which rows each step behind a fold's answers looked at."""
    fit = f"fold {place + 1}"
    steps = []
    for left_out in work.fits:
        if place in left_out:
            rows = work.preparations[left_out].learned_from
            steps += [Seen("scaling and encoding", fit, rows),
                      Seen("models of treatment and outcome", fit, rows)]  # fmt: skip
    if work.config.effect.causal_forest:
        steps.append(Seen("causal forest, for comparison", fit, work.without(place)))
    return (*steps, Seen("model of single patients' effects", fit, work.without(place)))
