"""The command line is a contract: what scripts rely on, and one sentence for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
FAST = ["--set", "model.name=logistic", "--set", "evaluate.resamples=100"]


def medcore(*arguments, home, expect=0):
    """Run a command in a home of its own and return the finished process."""
    done = subprocess.run(
        [sys.executable, "-m", "medcore", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=_environment(home),
        timeout=200,
    )
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done


def _environment(home):
    import os

    return os.environ | {"MEDCORE_HOME": str(home), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def heart_failure_run(home):
    done = medcore("run", "sample:heart_failure", "--outcome", "death", *FAST, home=home)
    return Path(done.stdout.splitlines()[-1]), done


def test_samples_names_licence_and_source(home):
    text = medcore("samples", home=home).stdout
    for name in ("uci_heart", "wdbc", "heart_failure", "thyroid"):
        assert f"sample:{name}" in text
    assert text.count("CC BY 4.0") == 4


def test_check_prints_findings_as_json(home):
    done = medcore("check", "sample:uci_heart", "--outcome", "disease", home=home)
    findings = json.loads(done.stdout)
    assert {"missing", "disguised_missing"} <= {finding["code"] for finding in findings}


def test_run_ends_with_the_folder_and_shows_progress_on_stderr(heart_failure_run):
    folder, done = heart_failure_run
    for name in (
        "config.json", "dataset.json", "split.json", "predictions.parquet", "evaluation.json",
        "events.jsonl", "model.json",
    ):  # fmt: skip
        assert (folder / name).is_file(), name
    assert not (folder / "checkpoints").exists()
    assert "100%" in done.stderr


def test_the_same_run_is_not_trained_twice(home, heart_failure_run):
    again = medcore("run", "sample:heart_failure", "--outcome", "death", *FAST, home=home)
    assert Path(again.stdout.splitlines()[-1]) == heart_failure_run[0]
    assert "before" in again.stderr


def test_predict_keeps_rows_and_columns_and_adds_its_own(home, heart_failure_run, tmp_path):
    new = tmp_path / "new.csv"
    rows = pd.DataFrame({"predicted": ["x", "y"], "age": [60, None], "ejection_fraction": [20, 60]})
    rows.to_csv(new, index=False)
    target = tmp_path / "out.csv"
    done = medcore("predict", heart_failure_run[0], new, "-o", target, home=home)
    out = pd.read_csv(target)
    assert list(out.columns[:3]) == list(rows.columns)
    assert out["predicted"].tolist() == ["x", "y"]
    assert "predicted_medcore" in out.columns
    probabilities = out.filter(like="probability_")
    assert probabilities.shape[1] == 2
    assert probabilities.sum(axis=1).to_numpy() == pytest.approx([1, 1])
    assert "serum_creatinine" in done.stderr


def test_validate_judges_elsewhere_and_asks_about_units(home, heart_failure_run, tmp_path):
    sample = pd.read_csv(ROOT / "medcore" / "data" / "samples" / "heart_failure.csv")
    new, target = tmp_path / "new.csv", tmp_path / "out"
    sample.assign(serum_creatinine=sample["serum_creatinine"] * 88.42).to_csv(new, index=False)
    command = ("validate", heart_failure_run[0], new, "-o", target)
    refused = medcore(*command, home=home, expect=2)
    assert "--convert 'serum_creatinine=µmol/L to mg/dL'" in refused.stderr
    assert not target.exists()
    done = medcore(
        *command, "--convert", "serum_creatinine=µmol/L to mg/dL", home=tmp_path / "elsewhere"
    )
    assert done.stdout.strip() == str(target)
    assert "this model finds" in done.stderr
    assert json.loads((target / "evaluation.json").read_text())["parts"]["test"]["n"] == 299
    assert json.loads((target / "validation.json").read_text())["drift"]


def test_out_gets_a_copy_that_predicts_by_itself(home, heart_failure_run, tmp_path):
    copy = tmp_path / "copy"
    done = medcore(
        "run", "sample:heart_failure", "--outcome", "death", *FAST, "--out", copy, home=home
    )
    assert Path(done.stdout.splitlines()[-1]) == copy
    new = tmp_path / "new.csv"
    pd.DataFrame({"age": [60]}).to_csv(new, index=False)
    medcore("predict", copy, new, "-o", tmp_path / "out.csv", home=tmp_path / "elsewhere")
    assert len(pd.read_csv(tmp_path / "out.csv")) == 1


def test_report_writes_every_file_and_prints_its_folder(home, heart_failure_run, tmp_path):
    target = tmp_path / "new" / "report"
    done = medcore(
        "report", heart_failure_run[0], "-o", target, "--intended-use", "Research.", home=home
    )
    assert Path(done.stdout.splitlines()[-1]) == target
    assert "onnxruntime differs by at most" in done.stderr
    for name in ("report.html", "model_card.md", "tripod_ai.csv", "model.onnx", "rebuild.py"):
        assert (target / name).stat().st_size > 500, name
    assert "Research." in (target / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "nowhere.csv", "--outcome", "x"], "nowhere.csv"),
        (["run", "sample:nothing", "--outcome", "x"], "nothing"),
        (["run", "sample:wdbc", "--outcome", "diagnoses"], "diagnosis"),
        (["run", "sample:wdbc", "--outcome", "diagnosis", "--set", "train.epoch=1"], "train.epoch"),
        (["run", "sample:wdbc", "--outcome", "diagnosis", "--set", "train.epochs=-1"], "epochs"),
        (["run", "sample:wdbc", "--outcome", "diagnosis", "--set", "train.epochs"], "NAME=VALUE"),
        (["run", "sample:wdbc", "--outcome", "diagnosis", "--role", "x=outcome"], "x"),
        (["run", "sample:wdbc", "--outcome", "diagnosis", "--config", "none.json"], "none.json"),
        (["run", "sample:heart_failure", "--duration", "time"], "--event"),
        (["predict", ".", "x.csv", "-o", "y.csv"], "no model"),
        (["validate", ".", "x.csv", "-o", "y"], "x.csv"),
        (["report", ".", "-o", "out"], "nothing to report"),
        (["report", "."], "--output"),
        (["work", "no-such-job"], "no-such-job"),
        (["fly"], "fly"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_bad_input_is_one_sentence_and_exit_code_two(arguments, word, home):
    done = medcore(*arguments, home=home, expect=2)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert word in lines[0]
    assert lines[0].endswith((".", "?"))
    assert done.stdout == ""


def test_time_to_event_from_the_command_line_to_risks_in_a_file(home, tmp_path):
    asked = ("--duration", "time", "--event", "death", "--set", "model.name=cox")
    horizons = ("--set", "evaluate.horizons=30d, 100d")
    done = medcore("run", "sample:heart_failure", *FAST, *asked, *horizons, home=home)
    folder = Path(done.stdout.splitlines()[-1])
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["task"] == "survival"
    assert {"c_index", "uno_c", "auroc_30d", "brier_100d", "integrated_brier"} <= set(
        evaluation["parts"]["test"]["metrics"]
    )
    source = ROOT / "medcore" / "data" / "samples" / "heart_failure.csv"
    medcore("predict", str(folder), str(source), "-o", str(tmp_path / "said.csv"), home=home)
    said = pd.read_csv(tmp_path / "said.csv")
    assert (said["risk_30d"] <= said["risk_100d"]).all()
    refused = medcore(
        "run", "sample:heart_failure", *asked, "--set", "evaluate.horizons=5y", home=home, expect=2
    )
    assert "not before the end of the longest follow-up" in refused.stderr
