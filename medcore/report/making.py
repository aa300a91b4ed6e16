"""Sentences on how the model was made and judged; None where the run does not know."""

from __future__ import annotations

from typing import Any

from medcore.evaluate import label_metric, label_model
from medcore.report import causal
from medcore.report.facts import Facts
from medcore.report.numbers import Numbers
from medcore.report.patients import say_outcome
from medcore.strategies import BALANCE_TITLES, MISSING_TITLES

RULES = {
    "youden": "the largest sensitivity + specificity − 1 (Youden), the middle of those within one "
    "standard error of it",
    "f1": "the largest F1",
    "sensitivity": "a sensitivity of at least {target:g}",
    "specificity": "a specificity of at least {target:g}",
    "cost": "the least cost where a missed patient is as bad as {cost_ratio:g} false alarms",
    "alarms": "the most patients found with at most {alarms:g} alarms in 100 patients",
    "fixed": "the author: {target:g}",
}
RECALIBRATIONS = {
    "logistic": "logistic (Platt) recalibration",
    "prior": "correction of the prior",
    "temperature": "temperature scaling",
    "isotonic": "isotonic recalibration",
}
METHODS = {
    "bootstrap": "bootstrap of whole patients",
    "delong": "DeLong 1988",
    "wilson": "Wilson 1927",
    "rubin": "Rubin's rules",
    "crossfit": "cross-fitting",
    "none": "–",
}


def say_missing_handling(facts: Facts) -> str:
    """What was done about missing values, and on whom it was learned."""
    missing = facts.config.missing
    title = MISSING_TITLES.get(missing.strategy, missing.strategy)
    words = f"Strategy for missing values: {title}, learned from training rows only"
    if missing.strategy == "multiple":
        words += f"; {missing.draws} imputations, each with models of its own"
    shown = "is" if missing.indicator else "is not"
    return f"{words}. The model {shown} told which values were missing."


def say_preparation(facts: Facts) -> str:
    """How inputs become numbers, and which repairs were agreed to."""
    prepare, repairs = facts.config.prepare, facts.config.data.repairs
    agreed = [
        f"{repair.action.replace('_', ' ')}" + (f" ({repair.column})" if repair.column else "")
        for repair in repairs
    ]
    return (
        f"Numbers are scaled ({prepare.scaling}) and categories get a place each (at most "
        f"{prepare.max_categories}), as learned from training rows only. Repairs agreed to: "
        f"{', '.join(agreed) or 'none'}."
    )


def say_model(facts: Facts) -> str:
    """What the model is made of."""
    members = facts.model.get("members", [])
    task = facts.evaluation.task
    weights: dict[str, float] = {}
    for member in members:
        weights[member["name"]] = weights.get(member["name"], 0.0) + member["weight"]
    shares = ", ".join(f"{label_model(name, task)} {w:.1%}" for name, w in weights.items())
    words = f"{label_model(facts.config.model.name, task)}"
    if len(members) > 1:
        words += f", the weighted mean of {len(members)} fits: {shares}"
    network = next((m["spec"] for m in members if "network" in m["spec"]), None)
    if network is not None:
        model = facts.config.model
        words += (
            f". Networks: hidden layers {model.layers}, neurons each {model.width}, dropout "
            f"{model.dropout:g}"
        )
    return f"{words}."


def say_balance(facts: Facts) -> str:
    """What was done about rare classes, and what became of the risks."""
    balance = facts.config.balance
    if facts.evaluation.task == "regression":
        return "Does not apply: the outcome is a number."
    if facts.evaluation.task == "survival":
        return "Does not apply: the time to an event was modelled, censored patients included."
    if facts.evaluation.task == "effect":
        return "Does not apply: nothing was re-weighted but by the chance of treatment."
    if balance.strategy == "none":
        return (
            "Nothing was re-weighted or re-sampled; the threshold was chosen instead (van den "
            "Goorbergh et al. 2022)."
        )
    how = _list_recalibrations(facts)
    after = (
        f"afterwards risks were put right by {how} on patients outside the fit"
        if how
        else "risks were not put right afterwards"
    )
    words = (
        f"{BALANCE_TITLES[balance.strategy]} (strength {balance.strength:g}) in training; {after}."
    )
    return f"{words} {say_updating(facts) or ''}".strip()


def say_recalibration(facts: Facts) -> str:
    """Whether risks were corrected after training, and how."""
    how = _list_recalibrations(facts)
    if not how:
        return "The model was neither updated nor recalibrated after training."
    return f"Risks were put right by {how}, learned from patients outside the fit, never the test."


def _list_recalibrations(facts: Facts) -> str:
    members = [member.get("recalibration") for member in facts.model.get("members", ())]
    found = [*members, facts.model.get("recalibration")]
    methods = dict.fromkeys(told["method"] for told in found if told)
    return " and ".join(RECALIBRATIONS.get(method, method) for method in methods)


def say_updating(facts: Facts) -> str | None:
    """What recalibration did to the risks, figure by figure."""
    found = facts.evaluation.curves.get("recalibration")
    if not found:
        return None
    numbers = Numbers(facts.values)
    told = [
        f"{label_metric(name)} {numbers.text('curves', 'recalibration', 'before', name)} before, "
        f"{numbers.text('curves', 'recalibration', 'after', name)} after"
        for name in found["after"]
    ]
    return f"On the test rows: {'; '.join(told)}."


def say_threshold(facts: Facts) -> str:
    """From which risk on the model alarms, and who chose it."""
    part = facts.evaluation.parts.get("test")
    if facts.evaluation.task == "survival":
        return "The output is a risk by each time; there is no threshold."
    if facts.evaluation.task == "multilabel":
        return _say_thresholds(facts)
    if facts.evaluation.task == "effect":
        return "The output is an effect; there is no threshold."
    if part is None or part.threshold is None:
        kind = "the most likely class" if facts.evaluation.classes else "a number"
        return f"The output is {kind}; there is no threshold."
    evaluate = facts.config.evaluate
    words = RULES.get(evaluate.threshold, evaluate.threshold).format(**evaluate.model_dump())
    value = Numbers(facts.values).text("parts", "test", "threshold")
    folds = " (median over the folds; each has its own)" if facts.evaluation.folds else ""
    return (
        f"An alarm is a risk of at least {value}{folds}; chosen by {words}, on validation patients "
        "only, and frozen before the test."
    )


def _say_thresholds(facts: Facts) -> str:
    numbers, evaluate = Numbers(facts.values), facts.config.evaluate
    words = RULES.get(evaluate.threshold, evaluate.threshold).format(**evaluate.model_dump())
    listed = ", ".join(
        f"{name} {numbers.text('curves', 'findings', name, 'parts', 'test', 'threshold')}"
        for name in facts.evaluation.curves["findings"]
    )
    return (
        f"Each finding alarms from a risk of its own: {listed}; chosen by {words}, on validation "
        "patients only, and frozen before the test."
    )


def say_output(facts: Facts) -> str:
    """What the model answers with."""
    evaluation = facts.evaluation
    if evaluation.task == "effect":
        return (
            "The difference that treatment is expected to make to a patient's outcome, with the "
            "95 % interval of the average effect in patients with a similar one."
        )
    if evaluation.task == "survival":
        return f"{say_outcome(facts)} Answers with the risk of each event by each of these times."
    if evaluation.classes:
        return f"Probabilities of: {', '.join(evaluation.classes)}. {say_threshold(facts)}"
    unit = f" in {facts.outcome.unit}" if facts.outcome.unit else ""
    return f"A number{unit}, with an interval that holds 90 % of new patients' values."


def say_measures(facts: Facts) -> str:
    """Which figures, with which intervals."""
    if facts.evaluation.effect is not None:
        return causal.say_intervals(facts)
    part = facts.evaluation.parts.get("test")
    if part is None:
        return "No test part was judged."
    by: dict[str, list[str]] = {}
    for name, metric in part.metrics.items():
        by.setdefault(metric.method, []).append(label_metric(name))
    if len(by) == 1:
        by = {method: ["every figure"] for method in by}
    told = "; ".join(f"{METHODS.get(m, m)}: {', '.join(names)}" for m, names in by.items())
    return (
        f"95 % intervals by {told}. {facts.config.evaluate.resamples:,} resamples; where patients "
        "repeat they are drawn whole."
    )


def say_performance(facts: Facts) -> str | None:
    """Every figure of the test part."""
    return say_part(facts, "parts", "test")


def say_part(facts: Facts, *path: Any) -> str | None:
    """Every figure of one part, as `name = value (interval)`."""
    numbers, found = Numbers(facts.values), facts.values
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not found:
        return None
    told = [f"{name} = {numbers.text(*path, 'metrics', name)}" for name in found["metrics"]]
    return f"{'; '.join(told)}."


def say_groups(facts: Facts) -> str:
    """Which groups of patients were judged apart."""
    groups = facts.evaluation.curves.get("subgroups")
    if not groups:
        return (
            "No column named sex, gender, age, ethnicity or race, and no site, is among the "
            "inputs; no groups were judged apart."
        )
    told = [f"{column} ({', '.join(g['name'] for g in found)})" for column, found in groups.items()]
    return (
        f"Judged apart, each beside everybody else: {'; '.join(told)}. Groups with under 10 "
        "patients of either outcome are marked as too few. No verdict on fairness is given."
    )


def say_clusters(facts: Facts) -> str:
    """How figures differ from site to site."""
    sites = [column.name for column in facts.columns if column.role == "site"]
    if not sites:
        return "No column has the role site; differences between sites cannot be told."
    if facts.split.kind == "site":
        return f"Each site of '{sites[0]}' was tested by a model that had not seen it."
    return f"Figures of each site of '{sites[0]}' stand among the groups of patients."


def say_heterogeneity(facts: Facts) -> str | None:
    """The figures of each site or fold."""
    pooled = _say_pooled(facts)
    if not facts.evaluation.folds:
        return f"{say_clusters(facts)} {pooled}".strip()
    numbers, told = Numbers(facts.values), []
    names = facts.split.fold_names
    lead = "r2" if facts.evaluation.task == "regression" else "auroc"
    folds = sorted(enumerate(facts.evaluation.folds), key=lambda pair: pair[1]["fold"])
    for place, fold in folds:
        if lead in fold["metrics"]:
            value = numbers.text("folds", place, "metrics", lead)
            number = fold["fold"]
            name = names[number] if number < len(names) else str(number + 1)
            told.append(f"{name} {value} (n = {fold['n']:,})")
    word = "Site" if facts.split.kind == "site" else "Fold"
    by_fold = f"{label_metric(lead)} by {word.lower()}: {'; '.join(told)}." if told else ""
    return f"{by_fold} {pooled}".strip() or None


def _say_pooled(facts: Facts) -> str:
    """What the figures of all sites come to, and how far sites differ."""
    sites = facts.evaluation.curves.get("sites")
    numbers, told = Numbers(facts.values), []
    for figure, found in (sites or {"figures": {}})["figures"].items():
        if found["pooled"] is not None:
            place = ("curves", "sites", "figures", figure, "pooled")
            told.append(
                f"{label_metric(figure)} {numbers.text(*place)}, I² {numbers.text(*place, 'i2')}, "
                f"τ² {numbers.text(*place, 'tau2')}"
            )
    if not told:
        return ""
    return f"Pooled over sites (random effects, Hartung and Knapp): {'; '.join(told)}."


def say_environment(facts: Facts) -> str | None:
    """Versions, device and commit."""
    known = facts.environment
    if known is None:
        return None
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    commit = known["commit"] or "not known (not run from a git checkout)"
    return (
        f"Python {known['python']}; {packages}. Device: {known['device']}. {known['platform']}. "
        f"Commit of medcore: {commit}."
    )


def say_seconds(facts: Facts) -> str | None:
    """How long the run took, from its first to its last event."""
    times = [event["time"] for event in facts.events if "time" in event]
    return f"{max(times) - min(times):.0f} s" if len(times) > 1 else None
