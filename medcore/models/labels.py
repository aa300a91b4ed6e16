"""Baselines of several findings: one yes/no model for each, side by side in one `PlainModel`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medcore.models.baselines import fit_baseline
from medcore.models.plain import PlainModel, freeze_baseline, predict_plain


def fit_labels(
    name: str,
    values: np.ndarray,
    outcome: np.ndarray,
    seed: int,
    ratio: np.ndarray | None = None,
    *,
    native: bool = False,
    features: Sequence[int] | None = None,
    sparse: bool = False,
    characters: bool = False,
) -> PlainModel:
    """Fit the baseline `name` once for each finding, on the rows where it is known.

    `values` (rows, features); `outcome` (rows, findings) 1, 0 or NaN; `ratio` (findings, 2) says
    how much those without and with it count. A finding that all of these rows have, or none, gets
    that answer. For the options see `freeze_baseline`.
    """
    specs, arrays = [], {}
    for place, has in enumerate(outcome.T):
        known = np.isfinite(has)
        code = has[known].astype(np.int64)
        if len(np.unique(code)) < 2:
            one = _fit_alike(code)
        else:
            weights = None if ratio is None else ratio[place][code]
            fitted = fit_baseline(name, "binary", values[known], code, seed, weights)
            one = freeze_baseline(
                fitted, "binary", 2, native=native, features=features, sparse=sparse,
                characters=characters,
            )  # fmt: skip
        specs.append(one.spec)
        arrays |= {f"{place}.{key}": array for key, array in one.arrays.items()}
    spec = {"task": "multilabel", "classes": len(specs), "native": native, "findings": specs}
    if characters:
        spec["characters"] = True
    return PlainModel(spec | {"formula": "sparse" if sparse else "findings"}, arrays)


def _fit_alike(code: np.ndarray) -> PlainModel:
    nothing = np.zeros((len(code), 0), dtype=np.float32)
    return freeze_baseline(fit_baseline("prevalence", "binary", nothing, code, 0), "binary", 2)


def predict_labels(model: PlainModel, values: np.ndarray) -> np.ndarray:
    """Return each finding's probability, float64 (rows, findings)."""
    nothing = np.zeros((values.shape[0], 0), dtype=np.float32)
    return np.column_stack(
        [
            predict_plain(one, nothing if one.spec["formula"] == "shares" else values)[:, 1]
            for one in split_labels(model)
        ]
    )


def split_labels(model: PlainModel) -> list[PlainModel]:
    """Return the yes/no model of each finding."""
    parts: list[dict[str, np.ndarray]] = [{} for _ in model.spec["findings"]]
    for path, array in model.arrays.items():
        place, key = path.split(".", 1)
        parts[int(place)][key] = array
    pairs = zip(model.spec["findings"], parts, strict=True)
    return [PlainModel(spec, arrays) for spec, arrays in pairs]
