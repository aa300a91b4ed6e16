"""`model_card.md` in Hugging Face's format: metadata with a model index, then sections for people.

Metadata is YAML written as JSON strings and numbers, which YAML contains; sections follow Mitchell
et al. 2019 and the hub's template.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from medcore.evaluate import label_metric, write_headline
from medcore.report import making, patients
from medcore.report.checklist import ABSENT, Answer, list_open
from medcore.report.claim import is_imaging
from medcore.report.document import RESEARCH, say_limits
from medcore.report.facts import Facts
from medcore.report.numbers import Numbers
from medcore.report.training import say_training

HUB_NAMES = {"auroc": "roc_auc", "auprc": "average_precision", "brier": "brier_score"}


def write_card(facts: Facts, title: str, items: Sequence[Answer], export: str) -> str:
    """Return the model card; `export` is a sentence on model.onnx."""
    sections = [_write_metadata(facts, title), f"# {title}", f"**{RESEARCH}**"]
    for heading, lines in _list_sections(facts, items, export):
        body = "\n".join(lines)
        sections.append(f"## {heading}\n\n{body}")
    return "\n\n".join(sections) + "\n"


def _write_metadata(facts: Facts, title: str) -> str:
    """Return the YAML block; the values of the index are those of `evaluation.json`."""
    kind = _pipeline(facts)
    lines = [
        "---",
        "library_name: medcore",
        f"pipeline_tag: {kind}",
        "tags:",
        *(f"- {tag}" for tag in ("medical", "prediction-model", "research-use-only")),
        "metrics:",
        *(f"- {HUB_NAMES.get(name, name)}" for name in _index_metrics(facts)),
        "model-index:",
        f"- name: {json.dumps(title)}",
        "  results:",
        "  - task:",
        f"      type: {kind}",
        "    dataset:",
        f"      name: {json.dumps(facts.dataset['name'])}",
        f"      type: {json.dumps(facts.dataset['source'])}",
        "      split: test",
        f"      revision: {json.dumps(facts.dataset['sha256'])}",
        "    metrics:",
    ]
    for name, metric in _index_metrics(facts).items():
        lines += [
            f"    - type: {HUB_NAMES.get(name, name)}",
            f"      name: {json.dumps(name)}",
            f"      value: {json.dumps(metric['value'])}",
        ]
    return "\n".join([*lines, "---"])


def _pipeline(facts: Facts) -> str:
    kinds = {column.kind for column in facts.inputs}
    thing = "image" if is_imaging(facts) else "audio" if "audio" in kinds else "tabular"
    return (
        f"{thing}-regression"
        if facts.evaluation.task == "regression"
        else f"{thing}-classification"
    )


def _index_metrics(facts: Facts) -> dict[str, Any]:
    """Return the test part's figures that have a value."""
    metrics = facts.values["parts"].get("test", {}).get("metrics", {})
    return {name: metric for name, metric in metrics.items() if metric["value"] is not None}


def _list_sections(
    facts: Facts, items: Sequence[Answer], export: str
) -> Iterator[tuple[str, list[str]]]:
    yield "Model details", _tell_model(facts)
    yield "Uses", _bullets(
        ("Intended use", facts.author.intended_use or None),
        ("Out of scope", "Decisions about patients: this model is for research. Patients unlike "
         "those it learned from."),
    )  # fmt: skip
    limits = (*facts.warnings, *say_limits(facts))
    yield "Bias, risks and limitations", [f"- {line}" for line in limits]
    yield (
        "How to get started",
        [
            "```bash",
            "python -m medcore predict RUN_DIR NEW_DATA -o FILE.csv",
            "```",
            "",
            f"{export} Inputs and their order stand in `model_inputs.json`.",
        ],
    )
    yield "Training details", _tell_training(facts)
    yield "Evaluation", _tell_evaluation(facts)
    asked = [f"- TRIPOD+AI {item.item}: {item.needs_author}" for item in list_open(items)]
    yield "What the author still has to say", asked or ["Nothing: every item is reported."]


def _tell_model(facts: Facts) -> list[str]:
    return _bullets(
        ("Model", making.say_model(facts)),
        ("Predicts", patients.say_outcome(facts)),
        ("Answers with", making.say_output(facts)),
        ("Looks at", patients.say_inputs(facts)),
        ("Developed by", None),
        ("License", None),
        ("Citation", None),
        ("Contact", None),
    )


def _tell_training(facts: Facts) -> list[str]:
    return _bullets(
        ("Data", patients.say_source(facts)),
        ("Who was where", patients.say_split(facts)),
        ("Missing values", making.say_missing_handling(facts)),
        ("Preparation", making.say_preparation(facts)),
        ("Rare classes", making.say_balance(facts)),
        ("Training", say_training(facts)),
        ("Seed", str(facts.config.seed)),
        ("Computed with", making.say_environment(facts)),
        ("Time it took", making.say_seconds(facts)),
    )


def _tell_evaluation(facts: Facts) -> list[str]:
    return [
        write_headline(facts.evaluation, facts.outcome.name, facts.outcome.unit or ""),
        "",
        *_metric_table(facts),
        "",
        *_bullets(
            ("Intervals", making.say_measures(facts)),
            ("Threshold", making.say_threshold(facts)),
            ("Groups of patients", making.say_groups(facts)),
            ("Sites and folds", making.say_heterogeneity(facts)),
        ),
    ]


def _bullets(*pairs: tuple[str, str | None]) -> list[str]:
    return [f"- **{subject}:** {sentence or ABSENT}" for subject, sentence in pairs]


def _metric_table(facts: Facts) -> list[str]:
    """Return a table of all figures: name in `evaluation.json`, name for people, value."""
    part = facts.values["parts"].get("test")
    if part is None:
        return []
    numbers = Numbers(facts.values)
    rows = [
        f"| `{_cell(name)}` | {_cell(label_metric(name))} | "
        f"{numbers.text('parts', 'test', 'metrics', name)} |"
        for name in part["metrics"]
    ]
    return ["| name | figure | value (95 % interval) |", "|---|---|---|", *rows]


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
