"""TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378): 27 items with their sub-items, in our words."""

from __future__ import annotations

from medcore.evaluate import label_model, write_headline
from medcore.report import further, making, patients
from medcore.report.checklist import Item
from medcore.report.facts import WEIGHTS, Facts
from medcore.report.training import say_training


def _say_title(facts: Facts) -> str:
    model = label_model(facts.config.model.name, facts.evaluation.task)
    return (
        f"Draft: Development and internal validation of a prediction model ({model}) for "
        f"'{facts.outcome.name}' from {len(facts.inputs)} inputs."
    )


def _say_abstract(facts: Facts) -> str:
    rows = f"{facts.dataset['rows']:,}"
    headline = write_headline(facts.evaluation, facts.outcome.name, facts.outcome.unit or "")
    return f"Draft: A model was developed on {rows} rows. {headline}"


def _say_intended(facts: Facts) -> str | None:
    return facts.author.intended_use or None


def _say_handling(facts: Facts) -> str:
    prepared = f"{patients.say_ledger(facts)} {making.say_preparation(facts)}"
    return f"{prepared} {making.say_missing_handling(facts)}"


def _say_findings(facts: Facts) -> str:
    found = "; ".join(finding["title"] for finding in facts.findings) or "nothing"
    return f"{patients.say_ledger(facts)} {making.say_preparation(facts)} Checks found: {found}."


def _say_missing(facts: Facts) -> str | None:
    gaps, complete = patients.say_missing(facts), patients.say_complete(facts)
    if gaps is None:
        return None
    return f"{gaps} {complete} {making.say_missing_handling(facts)}"


def _say_development(facts: Facts) -> str:
    said = (making.say_model(facts), say_training(facts), patients.say_split(facts),
            further.say_optimism(facts))  # fmt: skip
    return " ".join(sentence for sentence in said if sentence)


def _say_calculation(facts: Facts) -> str:
    fits = len(facts.model.get("members", ()))
    mean = f"; the {fits} fits are averaged by their weights" if fits > 1 else ""
    return (
        f"Inputs are prepared as learned from training rows{mean}. The model is kept with "
        "its preparation and its recalibration, and applied by 'python -m medcore predict' or "
        "model.onnx."
    )


def _say_code(facts: Facts) -> str | None:
    said = making.say_environment(facts)
    return said and f"{said} config.json and rebuild.py rebuild the run from the data."


def _say_flow(facts: Facts) -> str:
    return f"{patients.say_ledger(facts)} {patients.say_split(facts)}"


def _say_whole_model(facts: Facts) -> str:
    return (
        f"{making.say_model(facts)} Weights: {WEIGHTS}, SHA-256 {facts.weights_hash}; every "
        "setting in config.json; model.onnx where the model can be exported."
    )


def _say_results(facts: Facts) -> str | None:
    figures = making.say_performance(facts)
    said = (figures, making.say_groups(facts), further.say_validations(facts))
    return figures and " ".join(sentence for sentence in said if sentence)


def _say_updated(facts: Facts) -> str:
    return making.say_updating(facts) or "The model was not updated after its evaluation."


def _say_use(facts: Facts) -> str:
    return (
        f"{making.say_missing_handling(facts)} A new patient's column that is absent counts as "
        "unknown; values outside the training range are named on the Predict page."
    )


def _say_warnings(facts: Facts) -> str | None:
    return f"The run warns: {' '.join(facts.warnings)}" if facts.warnings else None


ITEMS = (
    Item("1", "Title: development or evaluation of a prediction model, for whom and of what",
         _say_title, "config.json, dataset.json", "the population and the setting"),
    Item("2", "Abstract", _say_abstract, "evaluation.json", "background, methods and conclusion"),
    Item("3a", "The health care context, and why a model is needed"),
    Item("3b", "Whom the model is for and how it is to be used", _say_intended, "author.json"),
    Item("3c", "Known inequalities in health between groups of patients"),
    Item("4", "The study's aims, and whether it develops or evaluates a model"),
    Item("5a", "Where the data come from, and whom they stand for", patients.say_source,
         "dataset.json", "how and why the data were collected, and whom they represent"),
    Item("5b", "When data were collected, and until when patients were followed",
         patients.say_dates, "cohort.json"),
    Item("6a", "The setting: kind, number and place of centres"),
    Item("6b", "Who could take part", patients.say_eligible, "dataset.json",
         "the criteria by which patients were chosen before the data were read"),
    Item("6c", "Treatments received, and how they were handled"),
    Item("7", "How data were prepared, and their quality checked", _say_findings,
         "dataset.json, config.json, findings.json"),
    Item("8a", "The outcome: what it is, at which time, and why it matters", patients.say_outcome,
         "config.json, evaluation.json", "its clinical definition, time horizon and rationale"),
    Item("8b", "Who assessed the outcome, where that needs judgement"),
    Item("8c", "Whether those who assessed the outcome were blinded"),
    Item("9a", "How the inputs were chosen", patients.say_inputs, "dataset.json",
         "why these inputs were considered"),
    Item("9b", "What each input is and how and when it was measured", patients.say_inputs,
         "dataset.json", "how and when each was measured"),
    Item("9c", "Who assessed the inputs, where that needs judgement"),
    Item("10", "How the number of patients was arrived at", patients.say_sample_size,
         "cohort.json"),
    Item("11", "What was done about missing values", _say_missing, "cohort.json, config.json"),
    Item("12a", "How the data were used and divided", patients.say_split, "split.json"),
    Item("12b", "How inputs were handled in the analysis", _say_handling,
         "dataset.json, config.json"),
    Item("12c", "The kind of model, how it was built, tuned and validated within the study",
         _say_development, "config.json, model.json, split.json"),
    Item("12d", "How differences between sites or other clusters were handled",
         making.say_clusters, "split.json, dataset.json"),
    Item("12e", "How performance was measured, with which intervals", making.say_measures,
         "evaluation.json"),
    Item("12f", "Whether the model was updated, such as recalibrated", making.say_recalibration,
         "config.json, evaluation.json"),
    Item("12g", "How predictions were calculated", _say_calculation, "model.json"),
    Item("13", "What was done about class imbalance, why, and about the risks afterwards",
         making.say_balance, "config.json, evaluation.json"),
    Item("14", "How fairness between groups was looked at", making.say_groups, "evaluation.json"),
    Item("15", "What the model answers with; thresholds and how they were chosen",
         making.say_output, "evaluation.json, config.json"),
    Item("16", "How development and evaluation data differ", patients.say_difference,
         "cohort.json"),
    Item("17", "Ethics approval and consent"),
    Item("18a", "Who paid, and what part they had"),
    Item("18b", "Conflicts of interest"),
    Item("18c", "Where the protocol can be read"),
    Item("18d", "Where the study is registered"),
    Item("18e", "Whether and how the data are available"),
    Item("18f", "Whether and how the code is available", _say_code, "environment.json",
         "where others find it"),
    Item("19", "How patients and the public took part"),
    Item("20a", "How many patients went through each step", _say_flow, "dataset.json, split.json"),
    Item("20b", "Who the patients are: characteristics, missing values, outcome",
         patients.say_characteristics, "cohort.json"),
    Item("20c", "Characteristics of development beside evaluation patients",
         patients.say_difference, "cohort.json"),
    Item("21", "Patients and outcomes in each analysis", patients.say_counts,
         "evaluation.json, cohort.json"),
    Item("22", "The whole model, so that others can use it", _say_whole_model,
         "model.json, weights.safetensors"),
    Item("23a", "Performance with intervals, in groups of patients too", _say_results,
         "evaluation.json"),
    Item("23b", "Differences in performance between clusters", making.say_heterogeneity,
         "evaluation.json"),
    Item("24", "Results of updating the model", _say_updated, "evaluation.json"),
    Item("25", "What the results mean, in the light of earlier studies and of fairness"),
    Item("26", "Limitations", _say_warnings, "evaluation.json, findings.json, certificate.json",
         "what else limits the study, and what follows from it"),
    Item("27a", "What is done with inputs that are poor or absent when the model is used",
         _say_use, "config.json", "who watches over the quality of inputs in practice"),
    Item("27b", "How users deal with the model, and what they must know"),
    Item("27c", "Next steps of research, and where the model may hold"),
)  # fmt: skip
