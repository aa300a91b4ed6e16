"""Laboratory: which way of handling missing values and rare outcomes helps, and which seems to?"""

import streamlit as st

from medcore.config import BalanceConfig, BalanceStrategy, MissingConfig, RunConfig, Task
from medcore.data import infer_task
from medcore.jobs import start_laboratory
from medcore.laboratory import (
    Choice,
    count_fits,
    estimate_seconds,
    list_cells,
    list_models,
)
from medcore.strategies import BALANCE_TITLES, LABEL_STRATEGIES, MISSING_TITLES, suits
from pages.parts import state
from pages.parts.arms import asks_effect, refuse_effect
from pages.parts.cells import find_laboratory, show_result
from pages.parts.form import WORDS
from pages.parts.frame import count, need_dataset, open_page, write_seconds
from pages.parts.masking import show_masking
from pages.parts.waiting import watch_job

TABULAR = {"number", "category", "date"}
USUAL_MISSING, USUAL_BALANCE = ("median", "iterative", "drop_rows"), ("none", "class_weight")


def choose_cells(config: RunConfig) -> Choice | None:
    """Show the strategies to tick, the model and the folds; None while nothing is ticked."""
    place = state.current().dataset.id
    task = infer_task(state.asked(config), config)
    offered = balance_options(task)
    left, right = st.columns(2)
    missing = left.multiselect(
        "Missing values", list(MISSING_TITLES),
        default=USUAL_MISSING if state.input_kinds() & TABULAR else USUAL_MISSING[:1],
        format_func=MISSING_TITLES.get, key=f"lab_missing_{place}",
        help=MissingConfig.model_fields["strategy"].description,
    )  # fmt: skip
    balance = ["none"]
    if len(offered) > 1:
        balance = right.multiselect(
            "Rare classes", offered, default=USUAL_BALANCE,
            format_func=BALANCE_TITLES.get, key=f"lab_balance_{place}",
            help=BalanceConfig.model_fields["strategy"].description,
        )  # fmt: skip
    else:
        what = "time" if task == "survival" else "number"
        right.caption(f"The outcome is a {what}, so there are no rare classes.")
    left, right = st.columns(2)
    models = [name for name in list_models(state.input_kinds()) if suits(name, task)]
    chosen = config.model.name if config.model.name in models else models[0]
    model = left.selectbox(
        "Model", models, index=models.index(chosen),
        format_func=WORDS.get, key=f"lab_model_{place}_{task}",
        help="One model for all combinations. A regression answers soonest; "
        "focal loss, the logit-adjusted loss and the balanced sampler need a network.",
    )  # fmt: skip
    folds = right.number_input(
        "Folds", 2, 20, 5, key=f"lab_folds_{place}",
        help="Each patient is predicted by a model that learned from the other folds.",
    )  # fmt: skip
    if not missing or not balance:
        return None
    return Choice(tuple(missing), tuple(balance), model, int(folds))


def balance_options(task: Task) -> list[BalanceStrategy]:
    """Return the strategies for rare classes that go with a task."""
    if task in ("binary", "multiclass"):
        return list(BALANCE_TITLES)
    return ["none", *(LABEL_STRATEGIES if task == "multilabel" else ())]


def start(choice: Choice, config: RunConfig) -> None:
    """Queue the comparison."""
    now = state.current()
    start_laboratory(now.workspace, now.dataset.id, config, choice)
    st.rerun()


def show_strategies(config: RunConfig) -> None:
    """Choose combinations, compare their predictions, and show what the figures support."""
    choice, job = choose_cells(config), find_laboratory()
    active = job is not None and job.active
    if choice is not None:
        rows = len(state.table().frame)
        st.caption(
            f"{count(len(list_cells(choice)), 'combination')}, "
            f"{count(count_fits(choice, config), 'fit')}, "
            f"{write_seconds(estimate_seconds(choice, config, rows))}."
        )
    if st.button(
        "Compare", type="primary", key="compare_strategies", icon=":material/science:",
        disabled=choice is None or active,
    ):  # fmt: skip
        start(choice, config)
    if active:
        watch_job(job.id)
    elif job is not None:
        show_result(job, config)


open_page(
    "Laboratory",
    "Which way of handling missing values and rare outcomes helps, and which only seems to? Every "
    "combination learns from and is judged on the same patients; the test patients stay aside.",
)
if need_dataset():
    if asks_effect(state.settings(), state.configured()):
        refuse_effect()
    elif state.configured().predicted_column() is None:
        st.info("No outcome is chosen yet.", icon=":material/flag:")
        state.link("data", "Choose it on Data", ":material/table:")
    else:
        predicted, filled = st.tabs(["What it does to predictions", "How well gaps are filled"])
        with predicted:
            show_strategies(state.settings())
        with filled:
            show_masking(state.settings())
