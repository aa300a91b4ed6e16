"""Figures in a clinician's words: labels, help texts, and the sentence that opens the results."""

from __future__ import annotations

import math

from medcore.evaluate import effect_words, prognosis_words
from medcore.records import Evaluation, Metric, PartEvaluation
from medcore.strategies import ENCODER_TITLES

RARE = 0.2
LARGER_IS_WORSE = (
    "brier",
    "integrated_brier",
    "log_loss",
    "hamming_loss",
    "mae",
    "rmse",
    "ece",
    "ici",
    "e50",
    "e90",
)
LABELS = {
    "accuracy": ("Accuracy", "Of 100 patients, how many are called correctly. With a rare outcome "
                 "it is high even for a model that never alarms."),
    "recall": ("Recall (sensitivity)", "Of 100 patients with the outcome, how many the model "
               "finds; the rest are missed."),
    "specificity": ("Specificity", "Of 100 patients without the outcome, how many stay without "
                    "an alarm."),
    "precision": ("Precision (PPV)", "Of 100 alarms, how many are patients who do have the "
                  "outcome."),
    "npv": ("NPV", "Of 100 patients without an alarm, how many are truly without the outcome."),
    "f1": ("F1", "Joins recall and precision in one figure from 0 to 1; high only if both are."),
    "f1_macro": ("F1, macro", "The mean F1 of all classes; a rare class counts as much as a "
                 "frequent one."),
    "f1_micro": ("F1, micro", "F1 over all calls together; with one class a patient it equals "
                 "accuracy."),
    "f1_weighted": ("F1, weighted", "The mean F1 of all classes, weighted by their patients."),
    "recall_micro": ("Recall, micro", "Of 100 findings that are there, whichever they are, how "
                     "many the model names."),
    "precision_micro": ("Precision, micro", "Of 100 findings that the model names, how many are "
                        "there."),
    "subset_accuracy": ("Every finding right", "Of 100 patients, for how many the model is right "
                        "about every finding that is known (subset accuracy)."),
    "hamming_loss": ("Hamming loss", "Share of single calls that are wrong, of all patients and "
                     "findings together; smaller is better."),
    "balanced_accuracy": ("Balanced accuracy", "The mean of recall over the classes; 0.5 is "
                          "guessing between two."),
    "kappa_quadratic": ("Quadratic kappa", "Of patients whose classes have an order: agreement "
                        "beyond chance, where naming a far class counts more than a near one; 1 is "
                        "perfect, 0 chance."),
    "mcc": ("MCC", "How well calls and outcomes agree, from −1 to 1; 0 is chance, also when the "
            "outcome is rare."),
    "auroc": ("AUROC", "Of two patients, one with and one without the outcome, how often the "
              "former gets the higher risk. 0.5 is chance."),
    "auroc_weighted": ("AUROC, weighted", "The mean AUROC of all classes, weighted by their "
                       "patients."),
    "auroc_micro": ("AUROC, micro", "The same over all findings together: of two calls, one of a "
                    "finding that is there, how often that one has the higher risk."),
    "auprc_micro": ("AUPRC, micro", "Mean precision over all thresholds, all findings together."),
    "auprc": ("AUPRC", "Mean precision over all thresholds; chance equals the share of patients "
              "with the outcome."),
    "brier": ("Brier score", "Mean squared distance of predicted risk and what happened; smaller "
              "is better."),
    "brier_scaled": ("Brier score, scaled", "Improvement over giving everybody the mean risk; 1 "
                     "is perfect, 0 no better."),
    "log_loss": ("Log loss", "How surprised the model is by what happened; smaller is better."),
    "calibration_slope": ("Calibration slope", "1 is right; below 1 the risks are too extreme, "
                          "above 1 too timid."),
    "calibration_intercept": ("Calibration in the large", "0 is right; below 0 the risks are too "
                              "high on average, above 0 too low."),
    "ece": ("ECE", "How far predicted risks are from what happens, on average, in ten groups of "
            "patients of equal size."),
    "ici": ("ICI", "How far a patient's predicted risk is, on average, from what was observed "
            "among patients of such a risk (a smooth curve)."),
    "e50": ("E50", "Half of the patients have a risk that is off by no more than this."),
    "e90": ("E90", "Nine in ten patients have a risk that is off by no more than this."),
    "o_e": ("Observed / expected", "Patients with the outcome per predicted one; 1 is right."),
    "net_benefit": ("Net benefit", "Share of patients rightly treated, less those treated in "
                    "vain at their weight, when whoever has more than the average risk is treated; "
                    "0 is treating nobody."),
    "mean_risk": ("Mean predicted risk", "Should equal the share of patients with the outcome."),
    "mae": ("Mean absolute error", "How far off a prediction is on average, in the outcome's "
            "unit."),
    "rmse": ("RMSE", "Like the mean error, but large errors weigh more; in the outcome's unit."),
    "bias": ("Bias", "Predictions of patients less their outcomes, on average, in the outcome's "
             "unit; 0 is right, above 0 they are too high."),
    "loa_low": ("Limit of agreement, lower", "In 95 of 100 patients the prediction less the "
                "outcome lies between the lower and the upper limit (Bland–Altman)."),
    "loa_high": ("Limit of agreement, upper", "In 95 of 100 patients the prediction less the "
                 "outcome lies between the lower and the upper limit (Bland–Altman)."),
    "r2": ("R²", "Share of the outcome's variation that the model explains; 0 is no better than "
           "the mean."),
}  # fmt: skip
BY_CLASS = (
    "recall", "specificity", "precision", "f1", "auroc", "auprc", "ece", "brier",
    "calibration_slope",
)  # fmt: skip
MODELS = {
    "model": "This model",
    "recommended": "Recommended",
    "prevalence": "Prevalence only",
    "logistic": "Logistic regression",
    "tfidf": "TF-IDF with logistic regression",
    "tfidf_characters": "TF-IDF of pieces of words, with logistic regression",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting",
    "mlp": "Neural network (MLP)",
    "tabm": "TabM",
    "cox": "Cox regression",
    "last_logistic": "Logistic regression, last values",
    "last_boosting": "Gradient boosting, last values",
    "deepsurv": "DeepSurv (deep Cox regression)",
    "logistic_hazard": "Logistic hazard (network)",
    "deephit": "DeepHit (competing causes)",
    "dr_learner": "DR-learner (doubly robust)",
    "s_learner": "S-learner (one outcome model)",
    "t_learner": "T-learner (an outcome model each arm)",
    "x_learner": "X-learner",
    "tarnet": "TARNet (network)",
    "dragonnet": "DragonNet (network)",
    **ENCODER_TITLES,
}


PROPER = ("Cox", "Kaplan", "Deep", "TabM", "ResNet", "GRU", "LSTM")
OTHER_MODELS = {
    "regression": {
        "prevalence": "Mean only",
        "logistic": "Linear regression",
        "last_logistic": "Linear regression, last values",
    },
    "survival": prognosis_words.MODELS,
}


def label_model(name: str, task: str = "binary") -> str:
    """Return a model's name for people; some are called otherwise where a number is predicted.

    >>> label_model("logistic"), label_model("logistic", "regression")
    ('Logistic regression', 'Linear regression')
    """
    return (MODELS | OTHER_MODELS.get(task, {})).get(name, name)


def label_metric(name: str, task: str = "") -> str:
    """Return a metric's name for people; the task tells a class from a time that is a number.

    >>> label_metric("recall_yes"), label_metric("auroc_30"), label_metric("auroc_30", "survival")
    ('Recall of yes', 'AUROC of 30', 'AUROC by 30')
    """
    if _of_time(name, task):
        return prognosis_words.label_figure(name)
    if (said := effect_words.label_effect(name)) is not None:
        return said
    if name in LABELS:
        return LABELS[name][0]
    for stem in BY_CLASS:
        if name.startswith(f"{stem}_"):
            short = LABELS[stem][0].split(" (")[0]
            return f"{short} of {name.removeprefix(f'{stem}_')}"
    return name


def _of_time(name: str, task: str) -> bool:
    if prognosis_words.label_figure(name) is None:
        return False
    return task == "survival" or not (name in LABELS or name[-1].isdigit())


def explain_metric(name: str, task: str = "") -> str:
    """Return what a metric means for patients."""
    if _of_time(name, task):
        return prognosis_words.explain_figure(name)
    if (said := effect_words.explain_effect(name)) is not None:
        return said
    return LABELS.get(name, LABELS.get(name.split("_")[0], ("", "")))[1]


def write_metric(metric: Metric, digits: int = 2) -> str:
    """Return "0.86 (0.82–0.90)", or a dash where there is no value.

    >>> write_metric(Metric(0.856, 0.82, 0.9, 100, "wilson"))
    '0.86 (0.82–0.90)'
    """
    if not math.isfinite(metric.value):
        return "–"
    if not math.isfinite(metric.low):
        return f"{metric.value:.{digits}f}"
    join = " to " if metric.low < 0 else "–"
    return f"{metric.value:.{digits}f} ({metric.low:.{digits}f}{join}{metric.high:.{digits}f})"


def leading_metrics(evaluation: Evaluation) -> tuple[str, str, str]:
    """Return the three figures that lead; accuracy never does where the outcome is rare."""
    if evaluation.task == "regression":
        return ("mae", "rmse", "r2")
    if evaluation.task == "survival":
        return prognosis_words.leading_figures(evaluation.parts["test"])
    if evaluation.task == "multiclass":
        return ("recall", "accuracy", "f1")
    if evaluation.task == "multilabel":
        return ("recall", "precision", "f1")
    part = evaluation.parts["test"]
    rare = (part.events or 0) / part.n < RARE
    return ("recall", "precision", "auprc") if rare else ("recall", "accuracy", "f1")


def write_headline(evaluation: Evaluation, outcome: str, unit: str = "") -> str:
    """Return the sentence that opens the results; `outcome` is the predicted column's name."""
    if evaluation.task == "effect":
        return effect_words.write_effect(evaluation.effect, evaluation.positive)
    part = evaluation.parts["test"]
    if evaluation.task == "regression":
        return _number_sentence(part, unit)
    if evaluation.task == "survival":
        return prognosis_words.write_prognosis(evaluation, outcome)
    if evaluation.task == "multilabel":
        return _findings_sentence(part, len(evaluation.classes))
    if evaluation.task == "multiclass":
        right = _of_hundred(part.metrics["accuracy"])
        return (
            f"Of 100 patients, this model names the right one of {len(evaluation.classes)} classes "
            f"for {right}; averaged over the classes it finds "
            f"{_of_hundred(part.metrics['recall'])} of 100."
        )
    found, kept = part.metrics["recall"], part.metrics["specificity"]
    if not (math.isfinite(found.value) and math.isfinite(kept.value)):
        return "The test patients all have the same outcome, so this model cannot be judged."
    positive, missed = evaluation.positive, 100 - round(100 * found.value)
    alarms = 100 - round(100 * kept.value)
    reach = ""
    if math.isfinite(kept.low):
        reach = f" ({100 - round(100 * kept.high)}–{100 - round(100 * kept.low)})"
    return (
        f"Of 100 patients with {outcome} = {positive}, this model finds {_of_hundred(found)} and "
        f"misses {missed}; of 100 without, it alarms for {alarms}{reach}."
    )


def _findings_sentence(part: PartEvaluation, findings: int) -> str:
    found, named = part.metrics["recall_micro"], part.metrics["precision_micro"]
    if not math.isfinite(found.value):
        return "No test patient has any of the findings, so this model cannot be judged."
    right = f"of 100 that it names, {_of_hundred(named)} are there"
    if not math.isfinite(named.value):
        right = "it names none"
    return (
        f"Of 100 findings that are there, among {findings} asked about, this model names "
        f"{_of_hundred(found)}; {right}."
    )


def _of_hundred(metric: Metric) -> str:
    value = f"{round(100 * metric.value)}"
    if not math.isfinite(metric.low):
        return value
    return f"{value} ({round(100 * metric.low)}–{round(100 * metric.high)})"


def _number_sentence(part: PartEvaluation, unit: str) -> str:
    error, share = part.metrics["mae"], part.metrics["r2"].value
    unit = f" {unit}" if unit else ""
    explained = "the test patients all have the same outcome"
    if math.isfinite(share):
        percent = max(0, round(100 * share))
        explained = f"the model explains {percent} % of the outcome's variation"
    return (
        f"On average a prediction is off by {error.value:.3g}{unit} "
        f"({error.low:.3g}–{error.high:.3g}); {explained}."
    )


def write_difference(name: str, baseline: str, metric: Metric, task: str = "binary") -> str:
    """Return in words whether the model differs from a baseline."""
    label, other = label_metric(name, task), _mid_sentence(label_model(baseline, task))
    if not (math.isfinite(metric.value) and math.isfinite(metric.low)):
        return f"{label}: no comparison with {other} is possible."
    if metric.low <= 0 <= metric.high:
        return f"{label}: not distinguishable from {other} ({_signed(metric)})."
    better = (metric.value > 0) != (name in LARGER_IS_WORSE)
    return f"{label}: {'better' if better else 'worse'} than {other} ({_signed(metric)})."


def _mid_sentence(name: str) -> str:
    """Return a model's name as it stands within a sentence; names of people stay as they are."""
    return name if name.startswith(PROPER) else name.lower()


def _signed(metric: Metric) -> str:
    return f"{metric.value:+.3f}, {metric.low:+.3f} to {metric.high:+.3f}"
