"""Judgement: pure functions of predictions; it knows neither data nor models, and only NumPy."""

from medcore.evaluate.compare import compare_predictions, paired_p
from medcore.evaluate.decision import better_range
from medcore.evaluate.files import evaluation_json, read_evaluation
from medcore.evaluate.judge import evaluate_predictions
from medcore.evaluate.probability import venn_abers
from medcore.evaluate.subgroups import band_dates, band_numbers, judge_groupings, judge_subgroups
from medcore.evaluate.threshold import (
    choose_threshold,
    deciding_rows,
    operating_point,
    write_need,
)
from medcore.evaluate.words import (
    explain_metric,
    label_metric,
    label_model,
    leading_metrics,
    write_difference,
    write_headline,
    write_metric,
)

__all__ = [
    "band_dates",
    "band_numbers",
    "better_range",
    "choose_threshold",
    "compare_predictions",
    "deciding_rows",
    "evaluate_predictions",
    "evaluation_json",
    "explain_metric",
    "judge_groupings",
    "judge_subgroups",
    "label_metric",
    "label_model",
    "leading_metrics",
    "operating_point",
    "paired_p",
    "read_evaluation",
    "venn_abers",
    "write_difference",
    "write_headline",
    "write_metric",
    "write_need",
]
