"""What a visitor works on: workspace, data set and run, kept in the address and the session.

Page links drop the query string, so the entry file writes it back on every run; the session only
carries it from one run of the script to the next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import streamlit as st

from medcore.checks import check_dataset
from medcore.config import Kind, RunConfig, load_config, preset_config
from medcore.data import assign_columns, fold_visits, input_kinds_of, join_findings
from medcore.errors import MedcoreError, StoreError
from medcore.records import Dataset, Finding, Run
from medcore.store import (
    DatasetRow,
    Home,
    Workspace,
    expire_workspaces,
    get_dataset_row,
    get_run,
    load_dataset,
    load_settings,
    open_home,
    open_workspace,
    save_settings,
)
from pages.parts.sections import navigate

WORKSPACE, DATASET, RUN = "workspace", "dataset", "run"


@dataclass(frozen=True)
class Current:
    """The workspace, and the data set and run in use, if any."""

    workspace: Workspace
    dataset: DatasetRow | None
    run: Run | None


@st.cache_resource(show_spinner=False)
def open_store() -> Home:
    """Open the store once per server."""
    return open_home()


@st.cache_resource(ttl="6h", show_spinner=False)
def _expire() -> int:
    """Let go, now and then, of what nobody came back for."""
    return expire_workspaces(open_store())


def enter() -> Current:
    """Return what this visitor works on, from the address, else the session, else made anew.

    Raises `StoreError` when the address names a workspace that does not exist.
    """
    for key in (WORKSPACE, DATASET, RUN):
        if key in st.query_params:
            st.session_state[f"in_use_{key}"] = st.query_params[key]
    _expire()
    workspace = open_workspace(open_store(), _held(WORKSPACE))
    st.session_state[f"in_use_{WORKSPACE}"] = workspace.id
    current = Current(workspace, _dataset(workspace), _run(workspace))
    st.session_state["current"] = current
    write_address()
    return current


def forget() -> None:
    """Let go of workspace, data set and run; the next run of the script starts afresh."""
    for key in (WORKSPACE, DATASET, RUN):
        st.session_state.pop(f"in_use_{key}", None)
    st.query_params.clear()


def _held(key: str) -> str | None:
    return st.session_state.get(f"in_use_{key}")


def _dataset(workspace: Workspace) -> DatasetRow | None:
    try:
        return get_dataset_row(workspace, _held(DATASET)) if _held(DATASET) else None
    except StoreError:
        use(DATASET, None)
        return None


def _run(workspace: Workspace) -> Run | None:
    try:
        return get_run(workspace, _held(RUN)) if _held(RUN) else None
    except StoreError:
        use(RUN, None)
        return None


def current() -> Current:
    """Return what `enter` found in this run of the script.

    On a fresh server Streamlit runs a page whose own address is the very first to be opened
    without the entry file; once it knows the navigation, running again goes through the entry.
    """
    if "current" not in st.session_state:
        navigate()
        st.rerun()
    return st.session_state["current"]


def use(key: str, identity: str | None) -> None:
    """Take a data set or run into use, or none."""
    if identity is None:
        st.session_state.pop(f"in_use_{key}", None)
        st.query_params.pop(key, None)
    else:
        st.session_state[f"in_use_{key}"] = identity
        st.query_params[key] = identity


def address() -> dict[str, str]:
    """Return the query string that leads back here."""
    return {key: held for key in (WORKSPACE, DATASET, RUN) if (held := _held(key))}


def write_address() -> None:
    """Put workspace, data set and run back into the address."""
    if dict(st.query_params.items()) != address():
        st.query_params.from_dict(address())


@st.cache_resource(scope="session", max_entries=2, show_spinner="Loading the table …")
def _load(_workspace: Workspace, identity: str) -> Dataset:
    return load_dataset(_workspace, identity)


def table() -> Dataset:
    """Return the data set in use as it was read; do not change it."""
    now = current()
    assert now.dataset is not None
    return _load(now.workspace, now.dataset.id)


def table_of(identity: str) -> Dataset:
    """Return any data set of the workspace as it was read; do not change it."""
    return _load(current().workspace, identity)


def settings() -> RunConfig:
    """Return the settings agreed on for the data set in use; at first, the Quick preset's."""
    now = current()
    assert now.dataset is not None
    kept = load_settings(now.workspace, now.dataset.id)
    if kept != RunConfig():
        return kept
    return preset_config("quick", None, input_kinds_of(table()))


def keep_settings(config: RunConfig) -> None:
    """Keep settings with the data set in use."""
    now = current()
    assert now.dataset is not None
    save_settings(now.workspace, now.dataset.id, config)


def configured() -> Dataset:
    """Return the data set in use with the agreed roles, kinds and repairs."""
    try:
        return assign_columns(table(), settings())
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return table()


def input_kinds() -> set[Kind]:
    """Return the kinds of the columns that a model may look at."""
    return input_kinds_of(configured())


@st.cache_resource(scope="session", max_entries=4, show_spinner="Putting visits in order …")
def _ask(_dataset: Dataset, identity: str, settings: str) -> Dataset:  # noqa: ARG001
    config = load_config(json.loads(settings))
    return fold_visits(assign_columns(_dataset, config), config)


def asked(config: RunConfig) -> Dataset:
    """Return the data set in use as settings ask for it: of visits, one row a patient.

    Do not change it. Raises `MedcoreError` where that cannot be done.
    """
    sections = {"data", "outcome", "series", "task", "seed", "version"}
    return _ask(table(), current().dataset.id, config.model_dump_json(include=sections))


@st.cache_data(scope="session", max_entries=8, show_spinner="Checking the data …")
def _check(_dataset: Dataset, identity: str, settings: str) -> tuple[Finding, ...]:  # noqa: ARG001
    return tuple(check_dataset(_dataset))


def findings() -> tuple[Finding, ...]:
    """Return what is to be said of the data set in use; checked anew when its settings change."""
    now = current()
    assert now.dataset is not None
    config = settings()
    told = config.model_dump_json(include={"data", "outcome"})
    return _check(join_findings(configured(), config), now.dataset.id, told)


def go(page: str) -> None:
    """Open a page with the same workspace, data set and run."""
    st.switch_page(f"pages/{page}.py", query_params=address())


def link(page: str, label: str, icon: str | None = None) -> None:
    """Show a link to a page that keeps workspace, data set and run."""
    st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params=address())
