"""`model.onnx` answers as the model does, whatever the model is made of; or there is none."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.config import change_config
from medcore.data import configure_dataset, load_sample, outcome_classes
from medcore.models.plain import PlainModel
from medcore.models.recalibration import apply_recalibration
from medcore.predict import FittedModel, Member, predict_rows, with_gaps
from medcore.prepare import prepare_rows
from medcore.recipes import fit_model
from medcore.report import exchange
from medcore.report.exchange import build_graph, export_model, input_name, run_graph
from medcore.report.graph import Graph
from medcore.report.members import add_recalibration
from tests.test_recipes import CLASSES, SMALL, a_table

NAMES = {"binary": CLASSES, "multiclass": ("a", "b", "c"), "regression": ()}
HEAVY = {
    "balance.strategy": "class_weight",
    "missing.strategy": "multiple",
    "missing.draws": 2,
}


def fit(task: str, name: str, rows: int = 150, **changes) -> tuple[FittedModel, object]:
    """Return a fitted model of a small table, and patients it has not seen."""
    told = {key.replace("__", "."): value for key, value in changes.items()}
    config = change_config(SMALL, {"model.name": name} | told)
    parts = {"train": np.arange(rows - 40), "validation": np.arange(rows - 40, rows)}
    fitted = fit_model(a_table(rows, task), parts, config, NAMES[task], baselines=())
    return fitted.model, a_table(60, task, seed=5)


def ask(data: bytes, model: FittedModel, dataset) -> np.ndarray:
    """Return what the file says of a data set's rows, prepared as `model_inputs.json` says."""
    feeds = {}
    for place in {member.preparation for member in model.members}:
        block = prepare_rows(model.preparations[place], dataset).blocks["table"]
        feeds[input_name(place)] = with_gaps(block).astype(np.float32)
    return run_graph(data, feeds)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("name", ["logistic", "random_forest", "gradient_boosting", "mlp", "tabm"])
def test_the_file_answers_as_the_model_for_patients_it_was_not_compared_on(task, name):
    model, dataset = fit(task, name)
    exported = export_model(model, dataset, np.arange(5))
    said, ours = ask(exported.data, model, dataset), predict_rows(model, dataset)
    assert said.shape == ours.shape
    scale = np.abs(ours).max() if task == "regression" else 1
    assert np.abs(said - ours).max() <= 1e-5 * scale
    assert "5 real rows" in exported.sentence


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_folds_imputations_weights_and_risks_put_right_are_all_inside(task):
    model, dataset = fit(task, "recommended", **{k.replace(".", "__"): v for k, v in HEAVY.items()})
    assert len(model.members) == 30
    assert all(member.recalibration for member in model.members)
    exported = export_model(model, dataset)
    assert ask(exported.data, model, dataset) == pytest.approx(
        predict_rows(model, dataset), abs=1e-5
    )
    assert len(exported.inputs["inputs"]) == 10


@pytest.mark.parametrize("method", ["logistic", "temperature", "isotonic"])
def test_risks_of_the_whole_model_put_right_are_inside(method):
    model, dataset = fit("binary", "logistic")
    told = {"method": "logistic", "slope": 0.6, "offsets": [0.0, -0.8]}
    if method == "isotonic":
        knots = [[[0.0, 0.3, 1.0], [0.1, 0.2, 0.7]], [[0.0, 0.6, 1.0], [0.0, 0.5, 0.8]]]
        told = {"method": method, "knots": knots}
    whole = replace(model, recalibration=told)
    exported = export_model(whole, dataset)
    said = ask(exported.data, whole, dataset)
    assert said == pytest.approx(predict_rows(whole, dataset), abs=1e-9)
    assert np.abs(said - predict_rows(model, dataset)).max() > 0.01


def test_gaps_go_the_way_the_trees_learned():
    model, dataset = fit("binary", "gradient_boosting", missing__strategy="native")
    exported = export_model(model, dataset)
    assert exported.inputs["inputs"][0]["missing"] == "NaN"
    assert "gaps_right" in model.members[0].fitted.arrays
    assert dataset.frame["age"].isna().any()
    assert ask(exported.data, model, dataset) == pytest.approx(
        predict_rows(model, dataset), abs=1e-5
    )


def test_numbers_far_outside_the_training_are_held_back_alike():
    model, dataset = fit("binary", "tabm", prepare__scaling="standard")
    frame = dataset.frame.copy()
    frame["age"] = np.linspace(-1e4, 1e4, len(frame))
    far = replace(dataset, frame=frame)
    exported = export_model(model, dataset)
    assert ask(exported.data, model, far) == pytest.approx(predict_rows(model, far), abs=1e-5)


@pytest.mark.parametrize("left", [("age", "sex"), ("age", "pressure")], ids=["numbers", "flags"])
@pytest.mark.parametrize("embedding", ["none", "piecewise_linear"])
def test_a_network_of_numbers_or_of_flags_alone_is_exported(left, embedding):
    config = change_config(SMALL, {"model.name": "tabm", "model.embedding": embedding})
    table, other = a_table(), a_table(60, seed=5)
    columns = tuple(
        replace(column, role="ignored") if column.name in left else column
        for column in table.columns
    )
    parts = {"train": np.arange(110), "validation": np.arange(110, 150)}
    known = replace(table, columns=columns)
    model = fit_model(known, parts, config, CLASSES, baselines=()).model
    exported = export_model(model, other)
    assert ask(exported.data, model, other) == pytest.approx(predict_rows(model, other), abs=1e-5)


def test_a_class_without_training_rows_keeps_the_probability_zero():
    arrays = {
        "coefficients": np.array([[0.3, -1.0]]),
        "intercepts": np.array([0.2]),
        "places": np.array([0, 2]),
    }
    spec = {"task": "multiclass", "classes": 3, "native": False, "formula": "linear"}
    model, dataset = fit("multiclass", "logistic")
    width = prepare_rows(model.preparations[0], dataset).blocks["table"].values.shape[1]
    arrays["coefficients"] = np.resize(arrays["coefficients"], (1, width))
    plain = PlainModel(spec | {"link": "logistic"}, arrays)
    odd = replace(model, members=(Member("logistic", 0, 1.0, plain),))
    said = ask(export_model(odd, dataset).data, odd, dataset)
    assert (said[:, 1] == 0).all()
    assert said == pytest.approx(predict_rows(odd, dataset), abs=1e-12)


RISKS = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@settings(max_examples=30)
@given(RISKS, st.floats(0.1, 3), st.floats(-5, 5))
def test_the_formula_that_puts_risks_right_is_the_same(risks, slope, offset):
    told = {"method": "logistic", "slope": slope, "offsets": [0.0, offset]}
    check_recalibration(told, risks)


@settings(max_examples=30)
@given(RISKS, st.lists(st.floats(0, 1), min_size=2, max_size=8, unique=True))
def test_isotonic_risks_are_the_same(risks, knots):
    x = np.sort(np.round(knots, 3))
    if len(np.unique(x)) < 2:
        return
    x = np.unique(x)
    y = np.linspace(0.1, 0.9, len(x))
    told = {"method": "isotonic", "knots": [[x.tolist(), y.tolist()], [x.tolist(), y.tolist()]]}
    check_recalibration(told, risks)


def test_isotonic_risks_of_nothing_are_even():
    flat = {"method": "isotonic", "knots": [[[0.2, 0.8], [0.0, 0.5]]] * 2}
    check_recalibration(flat, [0.2, 0.8, 0.5])
    nothing = {"method": "isotonic", "knots": [[[0.2, 0.8], [0.0, 0.0]]] * 2}
    check_recalibration(nothing, [0.2, 0.8])


def check_recalibration(told, risks):
    """Hold that a graph of the correction alone answers as the correction."""
    said = np.column_stack([1 - np.float32(risks), np.float32(risks)]).astype(np.float32)
    graph = Graph()
    result = add_recalibration(graph, told, graph.as_double("x"))
    data = graph.finish({"x": 2}, result, "y", (2,), {}).SerializeToString()
    expected = apply_recalibration(told, said.astype(np.float64))
    assert run_graph(data, {"x": said}) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["cox", "deepsurv", "recommended"])
def test_risks_over_time_are_the_same_at_every_time(name):
    model, dataset = fit_survival(name)
    exported = export_model(model, dataset)
    said, ours = ask(exported.data, model, dataset), predict_rows(model, dataset)
    assert said.shape == ours.shape
    assert ours.shape[1:] == (1, len(exported.inputs["output"]["times"]))
    assert said == pytest.approx(ours, abs=1e-5)
    assert ours[:, 0, -1].std() > 0.01


@pytest.mark.parametrize("name", ["logistic_hazard", "deephit"])
def test_hazards_without_a_translation_are_said_in_a_sentence(name):
    model, dataset = fit_survival(name)
    exported = export_model(model, dataset)
    assert exported.data is None
    assert f"The hazards of '{name}' have no translation" in exported.sentence


def fit_survival(name: str) -> tuple[FittedModel, object]:
    """Return a model of the time to death with heart failure, and its patients."""
    roles = {"time": "duration", "death": "event"}
    changes = {"model.name": name, "data.roles": roles, "train.epochs": 12}
    config = change_config(SMALL, changes)
    ready = configure_dataset(load_sample("heart_failure"), config)
    classes, _ = outcome_classes(ready, config)
    parts = {"train": np.arange(0, 299, 2), "validation": np.arange(1, 299, 4)}
    return fit_model(ready, parts, config, classes, baselines=()).model, ready


def test_what_disagrees_is_not_written(monkeypatch):
    model, dataset = fit("binary", "mlp", balance__strategy="class_weight")
    monkeypatch.setattr(exchange, "add_recalibration", lambda graph, told, said: said)
    exported = export_model(model, dataset)
    assert exported.data is None
    assert "differs from the model" in exported.sentence


def test_what_onnx_cannot_express_is_said_in_a_sentence():
    model, dataset = fit("binary", "mlp")
    member = model.members[0]
    spec = {**member.fitted.spec, "network": {**member.fitted.spec["network"], "network": "gru"}}
    odd = replace(member, fitted=replace(member.fitted, spec=spec))
    exported = export_model(replace(model, members=(odd,)), dataset)
    assert exported.data is None
    assert "'gru' has no translation" in exported.sentence
    assert exported.sentence.endswith(".")
    assert exported.inputs == {}


def test_an_array_that_the_translation_does_not_know_stops_it():
    model, dataset = fit("binary", "mlp")
    member = model.members[0]
    arrays = {**member.fitted.arrays, "gate.weight": np.ones(3, np.float32)}
    odd = replace(member, fitted=replace(member.fitted, arrays=arrays))
    rows = prepare_rows(model.preparations[0], dataset).blocks["table"].values
    with pytest.raises(exchange.ExportError, match=r"gate\.weight"):
        build_graph(replace(model, members=(odd,)), {0: rows})


def test_the_note_names_inputs_in_their_order():
    model, dataset = fit("binary", "mlp")
    note = json.loads(json.dumps(export_model(model, dataset).inputs))
    block = prepare_rows(model.preparations[0], dataset).blocks["table"]
    assert note["inputs"][0]["features"] == list(block.names)
    assert note["inputs"][0]["shape"] == ["rows", len(block.names)]
    assert note["output"]["order"] == list(CLASSES)


def test_the_file_says_what_it_is_and_needs_nothing_beside_it():
    import onnx

    model, dataset = fit("binary", "logistic")
    loaded = onnx.load_from_string(export_model(model, dataset).data)
    facts = {entry.key: entry.value for entry in loaded.metadata_props}
    assert facts["use"] == "Research use only. Not a medical device."
    assert facts["classes"].split("\n") == list(CLASSES)
    assert not any(
        onnx.external_data_helper.uses_external_data(c) for c in loaded.graph.initializer
    )


def test_made_up_rows_are_not_called_real():
    model, dataset = fit("binary", "logistic")
    exported = export_model(model, dataset, real=False)
    assert "made-up rows" in exported.sentence
    assert "real" not in exported.sentence
