"""The report of a run, written into a folder: one call, all files."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Template

from medcore.errors import ExportError, MedcoreError, StoreError
from medcore.evaluate import label_model, write_headline
from medcore.records import Dataset
from medcore.report import claim, tripod
from medcore.report.author import keep_author_words
from medcore.report.card import write_card
from medcore.report.checklist import Answer, answer_items, list_open, write_csv
from medcore.report.document import write_document
from medcore.report.facts import Facts, file_hash, read_facts
from medcore.report.failures import failures_section
from medcore.report.source import comparison_rows, find_dataset
from medcore.store.files import plain, replacing, write_whole
from medcore.store.folder import CONFIG, EVALUATION, PREDICTIONS

SUMMARY, VERSION = "summary.json", 1
ONNX, INPUTS, CLAIM = "model.onnx", "model_inputs.json", "claim.csv"
FILES = (
    "report.html", "model_card.md", "tripod_ai.csv", CLAIM, ONNX, INPUTS, "predictions.csv", CONFIG,
    EVALUATION, "rebuild.py",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What was written where; `export` is the sentence on model.onnx, `open` what is to be said."""

    folder: Path
    files: tuple[str, ...]
    export: str
    open: tuple[Answer, ...]


def write_report(
    run_folder: Path,
    target: Path,
    *,
    title: str = "",
    intended_use: str | None = None,
    dataset: Dataset | None = None,
) -> Report:
    """Write a judged run's report into `target`, which is made if need be.

    `intended_use` is kept with the run; without it, what was kept before is used. `dataset`, the
    table that the run learned from, is looked for where it is not given. Raises `StoreError` for a
    folder without a judged run, or where the target cannot be written.
    """
    facts = read_facts(run_folder)
    if intended_use is not None:
        words = keep_author_words(run_folder, intended_use=intended_use)
        facts = replace(facts, author=words)
    _check_target(target)
    title = title or _make_title(facts)
    items = answer_items(tripod.ITEMS, facts, facts.author.answers)
    written: dict[str, bytes] = {}
    dataset = dataset or find_dataset(facts)
    export = _export(facts, dataset, written)
    failures = failures_section(facts, dataset)
    written["report.html"] = write_document(facts, title, items, export, failures).encode()
    written["model_card.md"] = write_card(facts, title, items, export).encode()
    written["tripod_ai.csv"] = write_csv(items).encode()
    if claim.is_imaging(facts):
        written[CLAIM] = write_csv(answer_items(claim.ITEMS, facts)).encode()
    written["rebuild.py"] = _write_rebuild(facts, title).encode()
    for name in (CONFIG, EVALUATION):
        written[name] = (run_folder / name).read_bytes()
    _save(target, written)
    _write_predictions(run_folder, target)
    files = tuple(name for name in FILES if (target / name).is_file())
    report = Report(target, files, export, list_open(items))
    _save(target, {SUMMARY: _write_summary(facts, report)})
    return report


def read_summary(folder: Path) -> dict[str, Any] | None:
    """Return what a report's folder tells of itself; None where there is no whole report."""
    try:
        told = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("version") == VERSION else None


def report_is_current(run_folder: Path, summary: Mapping[str, Any]) -> bool:
    """Tell whether a report was written from the judgement that the run's folder holds now."""
    return summary.get("evaluation") == file_hash(run_folder / EVALUATION)


def _check_target(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise StoreError(f"'{target}' is a file; give a folder for the report.")
    for name in (SUMMARY, CLAIM, ONNX, INPUTS):
        try:
            (target / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"'{target}' cannot be written ({error.strerror}).") from None


def _make_title(facts: Facts) -> str:
    name = label_model(facts.config.model.name, facts.evaluation.task)
    return f"{name} for {facts.outcome.name}: {facts.dataset['name']}"


def _export(facts: Facts, dataset: Dataset | None, written: dict[str, bytes]) -> str:
    """Add model.onnx and its note to what is written, and return the sentence on them."""
    from medcore.recipes import load_model
    from medcore.report.exchange import export_model

    try:
        model = load_model(facts.folder)
        rows, ids, real = comparison_rows(facts, dataset)
        exported = export_model(model, rows, ids, real=real)
    except ExportError as error:
        return f"There is no {ONNX}. {error}"
    except MedcoreError as error:
        return f"There is no {ONNX}: {error}"
    if exported.data is not None:
        written[ONNX] = exported.data
        written[INPUTS] = json.dumps(plain(exported.inputs), indent=1, ensure_ascii=False).encode()
    return exported.sentence


def _write_rebuild(facts: Facts, title: str) -> str:
    template = Template(
        (Path(__file__).parent / "rebuild.py.j2").read_text(encoding="utf-8"),
        keep_trailing_newline=True,
    )
    harmless = json.dumps(title, ensure_ascii=False)[1:-1].replace('"""', "'''")
    return template.render(title=f"“{harmless}”", sha256=facts.dataset["sha256"])


def _write_predictions(run_folder: Path, target: Path) -> None:
    """Write predictions.csv; what each column means stands in the README."""
    from pyarrow import csv, parquet

    with replacing(target / "predictions.csv", sync=False) as file:
        csv.write_csv(parquet.read_table(run_folder / PREDICTIONS), file)


def _write_summary(facts: Facts, report: Report) -> bytes:
    told = {
        "version": VERSION,
        "files": list(report.files),
        "export": report.export,
        "headline": write_headline(facts.evaluation, facts.outcome.name, facts.outcome.unit or ""),
        "warnings": list(facts.warnings),
        "open": [asdict(answer) for answer in report.open],
        "intended_use": facts.author.intended_use,
        "evaluation": file_hash(facts.folder / EVALUATION),
        "time": time.time(),
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _save(target: Path, written: dict[str, bytes]) -> None:
    for name, data in written.items():
        write_whole(target / name, data, sync=False)
