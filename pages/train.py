"""Train: outcome, split, model, effort; then watch, stop, and the results open by themselves."""

import streamlit as st

from medcore.checks import check_size
from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, configure_dataset, has_visits, told_modality
from medcore.errors import MedcoreError
from medcore.jobs import start_run
from pages.parts import state
from pages.parts.arms import asks_effect
from pages.parts.course import choose_course
from pages.parts.form import read_field, show_form, show_model, write_option
from pages.parts.frame import need_dataset, open_page
from pages.parts.question import choose_preset, choose_question, choose_split, find_preset, version
from pages.parts.training import WATCHED, watch_run


def choose_settings() -> RunConfig:
    """Show every choice, and return the settings as they stand now."""
    config, dataset = state.settings(), state.configured()
    place = f"{state.current().dataset.id}_{version()}"
    left, right = st.columns(2)
    with left:
        config = choose_question(config, dataset)
    asked = assign_columns(state.table(), config)
    with right:
        config = choose_split(config, asked)
    if has_visits(dataset):
        config = choose_course(config, dataset)
    left, right = st.columns(2)
    with left:
        kinds = state.input_kinds()
        timed = asked.with_role("event") and not (has_visits(dataset) and config.series.horizon)
        task = "survival" if timed else "effect" if asks_effect(config, asked) else "binary"
        model = show_model(config, place, kinds, task)
        config = change_config(config, {"model.name": model})
    with right:
        choose_preset(config)
    with st.expander("Advanced", icon=":material/tune:"):
        entered = show_form(config, place, kinds, task)
        if "image" in kinds and entered["image.modality"] == "auto":
            told = write_option("image.modality", told_modality(asked, asked.frame.index))
            st.caption(f"Kind of image, as the files say: {told}.")
    changes = {name: value for name, value in entered.items() if value != read_field(config, name)}
    try:
        changed = change_config(config, changes)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return config
    if changed != state.settings():
        state.keep_settings(changed)
        if find_preset(changed) != find_preset(config):
            st.rerun()
    return changed


def show_warnings() -> None:
    """Name what should be looked at before training, and whether patients are enough."""
    enough = check_size(state.configured())
    if enough is not None:
        st.caption(enough.sentence)
    severe = [f for f in state.findings() if f.severity == "stop"]
    if severe:
        titles = "; ".join(finding.title for finding in severe[:3])
        st.warning(f"Before you train: {titles}.", icon=":material/report:")
        state.link("checks", "Look at them on Checks", ":material/fact_check:")


def start(config: RunConfig, *, again: bool = False) -> None:
    """Queue the run, or offer the one that was trained before."""
    now = state.current()
    configure_dataset(state.table(), config)
    run, cached = start_run(now.workspace, now.dataset.id, config, again=again)
    if cached:
        st.session_state["cached_run"] = run.id
        return
    st.session_state.pop("cached_run", None)
    st.session_state[WATCHED] = run.id
    state.use(state.RUN, run.id)
    st.rerun()


def offer_cached(config: RunConfig) -> None:
    """Say that these settings were trained before, and offer both ways."""
    with st.container(border=True):
        st.markdown("**You trained this before**: same data, same settings, same versions.")
        left, right, _ = st.columns([2, 2, 3])
        if left.button("Open its results", type="primary", key="open_cached", width="stretch"):
            state.use(state.RUN, st.session_state.pop("cached_run"))
            state.go("results")
        if right.button("Train it again", key="again_cached", width="stretch"):
            start(config, again=True)


open_page("Train", "What is to be predicted, judged on whom, and with which model?")
if need_dataset():
    config = choose_settings()
    show_warnings()
    run = state.current().run
    running = run is not None and run.state in ("queued", "running", "stopping")
    if st.button(
        "Train", type="primary", key="train", icon=":material/play_arrow:", disabled=running
    ):
        start(config)
    if "cached_run" in st.session_state:
        offer_cached(config)
    elif run is not None and run.dataset == state.current().dataset.id:
        watch_run(run)
