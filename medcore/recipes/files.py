"""A fitted model in a run's folder: `weights.safetensors`, `prepare/`, `model.json`.

`prepare/cohort` alone serves `imputed_cells` and `outside_training_range`, without the weights.
`model.json` is written last, so a folder that has one is whole. Everything is numbers and words:
loading runs no code of the file's.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medcore.errors import StoreError
from medcore.models.effects import read_effect_model
from medcore.models.plain import PlainModel
from medcore.predict import FittedModel, Member, Reference
from medcore.prepare import load_preparation, save_preparation
from medcore.store.folder import MODEL
from medcore.strategies import is_network
from medcore.train import TrainedNetwork
from medcore.train.pretraining import TrainedAutoencoder

WEIGHTS, PREPARE, COHORT = "weights.safetensors", "prepare", "cohort"
VERSION = 1


def save_model(folder: Path, model: FittedModel) -> None:
    """Write a model into `folder`, which is made if need be."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_preparation(model.cohort, folder / PREPARE / COHORT)
    for place, preparation in enumerate(model.preparations):
        save_preparation(preparation, folder / PREPARE / str(place))
    arrays = {
        f"{place}/{name}": np.asarray(array, order="C")
        for place, member in enumerate(model.members)
        for name, array in member.fitted.arrays.items()
    }
    for place, looked in enumerate(model.looked.values()):
        arrays |= {f"looked {place}/{name}": array for name, array in looked.arrays.items()}
    if model.reference is not None:
        arrays["reference/outcome"] = np.asarray(model.reference.outcome)
        arrays["reference/predicted"] = np.asarray(model.reference.predicted)
        if model.reference.reach is not None:
            arrays["reference/reach"] = model.reference.reach
    save_file(arrays, folder / f"{WEIGHTS}.tmp")
    os.replace(folder / f"{WEIGHTS}.tmp", folder / WEIGHTS)
    text = json.dumps(_describe(model), ensure_ascii=False)
    (folder / f"{MODEL}.tmp").write_text(text, encoding="utf-8")
    os.replace(folder / f"{MODEL}.tmp", folder / MODEL)


def load_model(folder: Path) -> FittedModel:
    """Read back what `save_model` wrote; it predicts the same to the last bit.

    Raises `StoreError` when the model is absent, damaged or from another version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        values = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        arrays = load_file(folder / WEIGHTS)
        if values["version"] != VERSION:
            raise StoreError(
                f"The model in '{folder.name}' is from another version of medcore; train again."
            )
        return _read_model(values, arrays, folder)
    except FileNotFoundError:
        raise StoreError(f"There is no finished model in '{folder.name}'; train one.") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        raise StoreError(f"The model in '{folder.name}' is damaged; train again.") from None


def _describe(model: FittedModel) -> dict:
    return {
        "version": VERSION,
        "name": model.name,
        "task": model.task,
        "classes": list(model.classes),
        "notes": list(model.notes),
        "inputs": [asdict(rule) for rule in model.cohort.rules],
        "preparations": len(model.preparations),
        "recalibration": model.recalibration,
        "looked": {column: looked.spec for column, looked in model.looked.items()},
        "members": [
            {
                "name": member.name,
                "preparation": member.preparation,
                "weight": member.weight,
                "recalibration": member.recalibration,
                "spec": member.fitted.spec,
            }
            for member in model.members
        ],
    }


def _read_fitted(member: dict, arrays: dict[str, np.ndarray]) -> Any:
    if "learner" in member["spec"]:
        return read_effect_model(member["spec"], arrays, TrainedNetwork)
    make = TrainedNetwork if is_network(member["name"]) else PlainModel
    return make(member["spec"], arrays)


def _read_model(values: dict, arrays: dict[str, np.ndarray], folder: Path) -> FittedModel:
    parts: dict[str, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        part, name = path.split("/", 1)
        parts.setdefault(part, {})[name] = array
    members = []
    for place, member in enumerate(values["members"]):
        fitted = _read_fitted(member, parts[str(place)])
        members.append(
            Member(
                member["name"], member["preparation"], member["weight"], fitted,
                member.get("recalibration"),
            )
        )  # fmt: skip
    return FittedModel(
        name=values["name"],
        task=values["task"],
        classes=tuple(values["classes"]),
        cohort=load_preparation(folder / PREPARE / COHORT),
        preparations=tuple(
            load_preparation(folder / PREPARE / str(place))
            for place in range(values["preparations"])
        ),
        members=tuple(members),
        reference=Reference(**parts["reference"]) if "reference" in parts else None,
        notes=tuple(values["notes"]),
        recalibration=values.get("recalibration"),
        looked={
            column: TrainedAutoencoder(spec, parts[f"looked {place}"])
            for place, (column, spec) in enumerate(values.get("looked", {}).items())
        },
    )
