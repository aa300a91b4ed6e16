"""CLAIM (Mongan et al. 2020): 42 items on artificial intelligence in imaging, in our words."""

from __future__ import annotations

import numpy as np

from medcore.certificate import SHORTCUT
from medcore.evaluate import write_headline
from medcore.report import making, patients
from medcore.report.checklist import Item
from medcore.report.facts import Facts
from medcore.report.further import say_drivers, say_optimism, say_validations
from medcore.report.training import say_training
from medcore.store.folder import EXPLANATION, OPTIMISM, VALIDATIONS, read_predictions

WORST = 10
MAPS = (
    "Maps of where the networks look in an image (Grad-CAM, HiRes-CAM, integrated gradients, "
    "occlusion) are shown on request, each compared with networks of random weights; they are no "
    "localisation of the disease."
)


def is_imaging(facts: Facts) -> bool:
    """Tell whether the model looks at images."""
    return any(column.kind == "image" for column in facts.inputs)


def _say_identities(facts: Facts) -> str | None:
    steps = [
        entry["reason"] for entry in facts.dataset["ledger"] if "identi" in entry["reason"].lower()
    ]
    return " ".join(steps) or None


def _say_start(facts: Facts) -> str:
    networks = [m for m in facts.model.get("members", []) if "network" in m["spec"]]
    if not networks:
        return "Does not apply: no network is part of the model."
    drawn, image = f"drawn from seed {facts.config.seed}", facts.config.image
    if not (image.weights or image.pretrain):
        return f"Networks start from random weights, {drawn}."
    given = "given weights"
    if image.pretrain:
        given = (
            f"what an autoencoder learned in {image.pretrain} passes over the training images and "
            "those without an outcome, none of them of a patient who is judged"
        )
    layers = f"; the first {image.frozen:.0%} of its layers are held" if image.frozen else ""
    return f"The image network starts from {given}{layers}; the rest is random, {drawn}."


def _say_selection(facts: Facts) -> str:
    return (
        "The state with the smallest validation loss is kept; test rows take no part. "
        f"{say_training(facts)}"
    )


def _say_ensemble(facts: Facts) -> str:
    members = facts.model.get("members", [])
    if len(members) < 2:
        return "None: the model is a single fit."
    return making.say_model(facts)


def _say_robustness(facts: Facts) -> str:
    luck = say_optimism(facts) or "Not examined: nobody asked how much luck is in the figures."
    told = [c["sentence"] for c in facts.certificate or () if c["check"] == SHORTCUT]
    return " ".join((luck, *told))


def _say_explained(facts: Facts) -> str:
    drivers = say_drivers(facts) or "Not examined: nobody asked what drives this model."
    return f"{drivers} {MAPS}"


def _say_external(facts: Facts) -> str:
    return say_validations(facts) or "Not done: all patients come from the one data set."


def _say_accuracy(facts: Facts) -> str:
    return write_headline(facts.evaluation, facts.outcome.name, facts.outcome.unit or "")


def say_failures(facts: Facts) -> str | None:
    """The test rows that the model was most wrong about, by row id."""
    predictions = read_predictions(facts.folder)
    frame = predictions.frame
    frame = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    if frame.empty:
        return None
    if not predictions.classes:
        away = (frame["predicted"] - frame["outcome"]).abs().to_numpy(np.float64)
        worst = np.argsort(-away, kind="stable")[:WORST]
        said = [f"row {frame['row_id'].iloc[i]}: off by {away[i]:.4g}" for i in worst]
        return f"Largest errors: {'; '.join(said)}."
    risks = frame[[f"p_{name}" for name in predictions.classes]].to_numpy(np.float64)
    places = [predictions.classes.index(name) for name in frame["outcome"].astype(str)]
    given = risks[np.arange(len(frame)), places]
    worst = np.argsort(given, kind="stable")[:WORST]
    said = [
        f"row {frame['row_id'].iloc[i]}: {frame['outcome'].iloc[i]}, given {given[i]:.3f}"
        for i in worst
    ]
    return f"Least probability given to what was true: {'; '.join(said)}."


ITEMS = (
    Item("1", "Title or abstract say that artificial intelligence is used, and of what kind"),
    Item("2", "Structured summary"),
    Item("3", "Clinical background and the intended role of the method",
         lambda facts: facts.author.intended_use or None, "author.json"),
    Item("4", "Aims and hypotheses"),
    Item("5", "Prospective or retrospective"),
    Item("6", "Goal of the study: making a model, testing one, feasibility"),
    Item("7", "Data sources", patients.say_source, "dataset.json",
         "whether the data are public, and where"),
    Item("8", "Who was included: when, where and by which criteria"),
    Item("9", "How data were prepared", making.say_preparation, "config.json"),
    Item("10", "Which parts of the data were taken", patients.say_ledger, "dataset.json"),
    Item("11", "Definitions of data elements, by common standards"),
    Item("12", "Removal of identities", _say_identities, "dataset.json"),
    Item("13", "What was done about missing data", making.say_missing_handling, "config.json"),
    Item("14", "The reference standard: how truth was defined"),
    Item("15", "Why this reference standard"),
    Item("16", "Who annotated, and how qualified they are"),
    Item("17", "Tools of annotation"),
    Item("18", "How much annotators agree, and what was done where they did not"),
    Item("19", "How the number of patients was arrived at", patients.say_sample_size,
         "cohort.json"),
    Item("20", "How data were divided, and in which shares", patients.say_split, "split.json"),
    Item("21", "At which level the parts are disjoint", patients.say_disjoint, "dataset.json"),
    Item("22", "The model in detail", making.say_model, "model.json"),
    Item("23", "Software and versions", making.say_environment, "environment.json"),
    Item("24", "How parameters were initialised", _say_start, "model.json, config.json"),
    Item("25", "Training: augmentation, settings, epochs", say_training,
         "config.json, model.json"),
    Item("26", "How the final model was chosen", _say_selection, "config.json, model.json"),
    Item("27", "Ensembling", _say_ensemble, "model.json"),
    Item("28", "Measures of performance", making.say_measures, "evaluation.json"),
    Item("29", "Measures of uncertainty", making.say_measures, "evaluation.json"),
    Item("30", "Robustness and sensitivity analyses", _say_robustness, OPTIMISM),
    Item("31", "How predictions are explained", _say_explained, EXPLANATION),
    Item("32", "Testing on data from elsewhere", _say_external, VALIDATIONS),
    Item("33", "Flow of patients and images", patients.say_ledger, "dataset.json"),
    Item("34", "Characteristics of patients in each part", patients.say_characteristics,
         "cohort.json"),
    Item("35", "Performance of the chosen model", making.say_performance, "evaluation.json"),
    Item("36", "Accuracy with intervals", _say_accuracy, "evaluation.json"),
    Item("37", "Analysis of failures", say_failures, "predictions.parquet"),
    Item("38", "Limitations"),
    Item("39", "What it means for practice"),
    Item("40", "Registration"),
    Item("41", "Where the protocol can be read"),
    Item("42", "Who paid, and what part they had"),
)  # fmt: skip
