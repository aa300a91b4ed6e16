"""Checks: what is odd in the data, what to do about it, and what became of each row."""

from dataclasses import asdict

import streamlit as st

from medcore.checks import check_size
from medcore.config import Repair
from medcore.records import Finding
from pages.parts import state
from pages.parts.frame import count, need_dataset, open_page
from pages.parts.gaps import show_balance, show_missing
from pages.parts.rows import preview_rows, show_ledger

SEVERITIES = {
    "stop": ("Look at these first", ":material/report:"),
    "warning": ("Worth a decision", ":material/warning:"),
    "hint": ("Good to know", ":material/info:"),
}


def change_repairs(repairs: tuple[Repair, ...]) -> None:
    """Keep another list of agreed repairs for the data set in use."""
    config = state.settings()
    data = config.data.model_copy(update={"repairs": repairs})
    state.keep_settings(config.model_copy(update={"data": data}))


def write_repair(repair: Repair) -> str:
    """Return what a repair does, in words."""
    column = f"“{repair.column}”"
    return {
        "missing_values": f"read {', '.join(repair.values)} in {column} as missing",
        "missing_above": f"read values of {column} above {', '.join(repair.values)} as missing",
        "missing_below": f"read values of {column} below {', '.join(repair.values)} as missing",
        "merge_spellings": f"join the spellings in {column}",
        "parse_numbers": f"read {column} as numbers",
        "ignore_column": f"leave {column} out",
        "drop_duplicates": "keep equal rows once",
    }[repair.action]


def write_evidence(finding: Finding) -> list[str]:
    """Return a finding's figures, one phrase each."""
    phrases = []
    for name, value in finding.evidence.items():
        if name == "share":
            phrases.append(f"{value:.1%} of rows")
        elif isinstance(value, float):
            phrases.append(f"{name}: {value:,.6g}")
        else:
            phrases.append(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}")
    return phrases


def show_finding(finding: Finding, place: int) -> None:
    """Show one finding with its figures and, if there is one, its one-click suggestion."""
    with st.container(border=True):
        left, right = st.columns([4, 2], vertical_alignment="center")
        left.markdown(f"{SEVERITIES[finding.severity][1]} **{finding.title}**  \n{finding.detail}")
        if finding.evidence:
            left.caption(" · ".join(write_evidence(finding)))
        repair = finding.repair
        if repair is not None:
            words = write_repair(repair)
            right.button(
                words[0].upper() + words[1:], key=f"accept_{place}", width="stretch", wrap=True,
                on_click=change_repairs, args=((*state.settings().data.repairs, repair),),
            )  # fmt: skip


open_page("Checks", "What is odd in this table, and what would you like to do about it?")
if need_dataset():
    dataset = state.configured()
    findings = state.findings()
    agreed = state.settings().data.repairs
    counts = {name: sum(f.severity == name for f in findings) for name in SEVERITIES}
    st.markdown(
        f"**{count(len(findings), 'finding')}**: {counts['stop']} to look at first, "
        f"{counts['warning']} worth a decision, {counts['hint']} good to know. Nothing is changed "
        "unless you agree."
    )
    tabs = st.tabs(["Findings", "Missing values", "Outcome", "What became of the rows"])
    with tabs[0]:
        if agreed:
            st.markdown("**You agreed to**")
        for place, repair in enumerate(agreed):
            left, right = st.columns([4, 1], vertical_alignment="center")
            left.markdown(f":material/check: {write_repair(repair)}")
            right.button(
                "Undo", key=f"undo_{place}", on_click=change_repairs,
                args=((*agreed[:place], *agreed[place + 1 :]),), width="stretch",
            )  # fmt: skip
        place = 0
        for severity, (title, _) in SEVERITIES.items():
            group = [finding for finding in findings if finding.severity == severity]
            if group:
                st.subheader(title, anchor=False)
            for finding in group:
                show_finding(finding, place)
                place += 1
        if not findings:
            st.success("Nothing odd was found.", icon=":material/check_circle:")
    with tabs[1]:
        show_missing(dataset)
    with tabs[2]:
        enough = check_size(dataset)
        if enough is not None:
            st.markdown(enough.sentence)
        show_balance(dataset)
    with tabs[3]:
        st.markdown("Every step that took rows or columns in, changed them or set them aside.")
        show_ledger([asdict(entry) for entry in preview_rows(dataset).ledger])
    if st.button("Train a model", type="primary", key="to_train"):
        state.go("train")
