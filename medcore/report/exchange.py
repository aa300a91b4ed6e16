"""A fitted model as `model.onnx`, and the proof that a runtime answers as the model does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medcore.config import Task
from medcore.errors import ExportError
from medcore.predict import FittedModel, predict_rows, with_gaps
from medcore.prepare import prepare_rows
from medcore.records import Block, Dataset, Prepared
from medcore.report.graph import Graph
from medcore.report.members import add_member, add_recalibration

CLOSE = 1e-5
MOST_ROWS = 256


@dataclass(frozen=True, eq=False)
class Exported:
    """`data` is the file's content, None where the model cannot be written.

    `sentence` says how well it agrees, or why there is none; `inputs` describes, ready for JSON,
    what goes in and comes out.
    """

    data: bytes | None
    sentence: str
    inputs: Mapping[str, Any]


def export_model(
    model: FittedModel, dataset: Dataset, row_ids: np.ndarray | None = None, *, real: bool = True
) -> Exported:
    """Write a model as ONNX and compare it with the model on up to 256 rows of a data set.

    `real` says that the rows are patients', not made up. Without agreement there is no file.
    """
    try:
        ids = _choose_rows(dataset, row_ids)
        places = sorted({member.preparation for member in model.members})
        rows = {p: prepare_rows(model.preparations[p], dataset, ids) for p in places}
        values = {place: _values(rows[place], model, place) for place in rows}
        data = build_graph(model, values).SerializeToString()
        away = _compare(data, values, predict_rows(model, dataset, ids), model.task)
    except ExportError as error:
        return Exported(
            None,
            f"There is no model.onnx. {error} The model can be applied with 'python -m medcore "
            "predict' and on the Predict page.",
            {},
        )
    whose = f"{len(ids):,} real rows" if real else f"{len(ids):,} made-up rows, the data being gone"
    sentence = f"model.onnx answers as the model does: on {whose}, onnxruntime differs by at most "
    return Exported(data, f"{sentence}{away:.1e}.", describe_inputs(model, rows))


def build_graph(model: FittedModel, values: Mapping[int, np.ndarray]) -> Any:
    """Return the ONNX model: one float32 input for each preparation that a member uses.

    `values`: prepared rows by the preparation's place, for their number of features. Raises
    `ExportError`.
    """
    graph = Graph()
    parts = []
    for member in model.members:
        said = add_member(graph, member.fitted, input_name(member.preparation))
        if member.recalibration is not None:
            said = add_recalibration(graph, member.recalibration, said)
        parts.append(graph.add("Mul", said, graph.constant(np.float64(member.weight))))
    result = graph.add("Sum", *parts)
    if model.recalibration is not None:
        result = add_recalibration(graph, model.recalibration, result)
    facts = {"task": model.task, "use": "Research use only. Not a medical device."}
    inputs = {input_name(place): found.shape[1] for place, found in values.items()}
    if model.task in ("regression", "effect"):
        result = graph.add("Squeeze", result, graph.constant(np.array([1])))
        return graph.finish(inputs, result, output_name(model), (), facts)
    facts["classes"] = "\n".join(model.classes)
    shape: tuple[int | str, ...] = (len(model.classes),)
    if model.task == "survival":
        shape = (*shape, "times")
    return graph.finish(inputs, result, output_name(model), shape, facts)


def input_name(place: int) -> str:
    """Return the name of the input that a preparation's rows go into.

    >>> input_name(0)
    'prepared_0'
    """
    return f"prepared_{place}"


def output_name(model: FittedModel) -> str:
    """Return what the answer is called: predicted, effect, probabilities, or incidences."""
    if model.task == "effect":
        return "effect"
    if not model.classes:
        return "predicted"
    return "incidences" if model.task == "survival" else "probabilities"


def describe_inputs(model: FittedModel, rows: Mapping[int, Prepared]) -> dict[str, Any]:
    """Return the content of `model_inputs.json`: names and order of all inputs and outputs."""
    output: dict[str, Any] = {"name": output_name(model), "shape": ["rows"]}
    if model.classes and model.task != "effect":
        output |= {"shape": ["rows", len(model.classes)], "order": list(model.classes)}
    if model.task == "survival":
        times = _times(model)
        output |= {"shape": [*output["shape"], len(times)], "times": times}
    return {
        "inputs": [
            {
                "name": input_name(place),
                "type": "float32",
                "shape": ["rows", len(_block(prepared).names)],
                "prepared_by": f"prepare/{place} in the run's folder",
                "missing": "NaN" if _native(model, place) else "none: all are filled in",
                "features": list(_block(prepared).names),
                "columns": list(_block(prepared).sources),
            }
            for place, prepared in rows.items()
        ],
        "output": output | {"type": "float64"},
        "how": "Each input holds the same patients, each prepared in its own way: "
        "medcore.prepare.load_preparation(folder), then prepare_rows(preparation, dataset)"
        ".blocks['table'].values.",
    }


def _times(model: FittedModel) -> list[float]:
    """Return the times by which risks over time are told, in the durations' unit."""
    fitted = model.members[0].fitted
    if "times" in fitted.arrays:
        return [float(time) for time in fitted.arrays["times"]]
    return list(fitted.spec["hazards"]["times"])


def _choose_rows(dataset: Dataset, row_ids: np.ndarray | None) -> np.ndarray:
    """Return the ids of the rows to compare on, spread over all."""
    ids = dataset.frame.index.to_numpy() if row_ids is None else np.asarray(row_ids)
    if not len(ids):
        raise ExportError("There is no row to compare the export with.")
    return ids[np.unique(np.linspace(0, len(ids) - 1, MOST_ROWS).astype(int))]


def _block(prepared: Prepared) -> Block:
    if set(prepared.blocks) != {"table"}:
        others = ", ".join(sorted(set(prepared.blocks) - {"table"}))
        words = any(block.kind == "text" for block in prepared.blocks.values())
        also = " ONNX knows no tokeniser that reads notes as this model does." if words else ""
        raise ExportError(
            f"Only tables of numbers and categories are exported, not {others}.{also}"
        )
    return prepared.blocks["table"]


def _native(model: FittedModel, place: int) -> bool:
    """Tell whether the members of a preparation take gaps as they are."""
    takes = {
        bool(member.fitted.spec.get("native"))
        for member in model.members
        if member.preparation == place
    }
    if len(takes) > 1:
        raise ExportError("Its members differ in whether they take missing values as they are.")
    return takes == {True}


def _values(prepared: Prepared, model: FittedModel, place: int) -> np.ndarray:
    block = _block(prepared)
    return with_gaps(block) if _native(model, place) else block.values


def run_graph(data: bytes, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what onnxruntime answers for float32 inputs by name; on the processor, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(values))[0]


def _compare(data: bytes, values: Mapping[int, np.ndarray], ours: np.ndarray, task: Task) -> float:
    """Return the largest difference, of numbers relative to their size; `ExportError` above 1e-5.

    `ours` is what the model itself answers, whatever it is made of. Refuses rather than leave a
    file that answers otherwise.
    """
    feeds = {
        input_name(place): np.ascontiguousarray(found, np.float32)
        for place, found in values.items()
    }
    theirs = run_graph(data, feeds)
    scale = max(1.0, float(np.abs(ours).max())) if task in ("regression", "effect") else 1.0
    away = float(np.abs(theirs - ours).max()) / scale
    if not away <= CLOSE:
        raise ExportError(f"Its export differs from the model by {away:.1e}, which is too much.")
    return away
