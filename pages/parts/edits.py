"""Proposals to change a text: marked, accepted or left with a click; and the log of what was."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import streamlit as st

from medcore.lexicon import (
    Edit,
    Proposal,
    accept_proposal,
    apply_edits,
    change_edit,
    edit_places,
    read_edits,
)
from medcore.store import TextRow, load_text, save_text_edits
from pages.parts import state
from pages.parts.frame import count, write_time
from pages.parts.marked_text import Mark, plain, show_marked

INITIALS, MOST_SHOWN = "edit_initials", 40
Extra = Callable[[Proposal], None]


def read_log(row: TextRow) -> tuple[Edit, ...]:
    """Return a kept text's edits."""
    return read_edits(row.edits)


def keep_log(identity: str, edits: Sequence[Edit]) -> None:
    """Keep a text's edits."""
    save_text_edits(state.current().workspace, identity, [asdict(edit) for edit in edits])


def open_proposals(proposals: Sequence[Proposal], edits: Sequence[Edit]) -> list[Proposal]:
    """Return the proposals whose place no edit in force has taken."""
    taken = [(edit.start, edit.end) for edit in edits if edit.undone is None]
    return [p for p in proposals if not any(a < p.end and p.start < b for a, b in taken)]


def ask_initials() -> None:
    """Ask who edits; the log keeps it."""
    st.text_input(
        "Your initials, for the log", key=INITIALS, max_chars=20, placeholder="optional",
        help="Every accepted change is kept with who made it and when.",
    )  # fmt: skip


def show_proposals(
    proposals: Sequence[Proposal], keep: Callable[[], TextRow], key: str, extra: Extra | None = None
) -> None:
    """Show open proposals with a button each; `keep` gives the kept text an accepted one joins."""
    sure = [proposal for proposal in proposals if proposal.sure]
    if len(sure) > 1:
        st.button(
            f"Accept the {len(sure)} sure ones", key=f"{key}_all", type="primary",
            on_click=_accept, args=([(p, p.options[0]) for p in sure], keep),
            help="Drugs, numbers, units, sides, negations and whatever has several meanings are "
            "not among them: those need a click each.",
        )  # fmt: skip
    for proposal in proposals[:MOST_SHOWN]:
        _show_proposal(proposal, keep, f"{key}_{proposal.start}_{proposal.end}", extra)
    if len(proposals) > MOST_SHOWN:
        st.caption(f"{len(proposals) - MOST_SHOWN} more follow when some of these are decided.")


def _show_proposal(
    proposal: Proposal, keep: Callable[[], TextRow], key: str, extra: Extra | None
) -> None:
    with st.container(border=True):
        left, right = st.columns([4, 2], vertical_alignment="center")
        with left:
            mark = ":material/check_circle:" if proposal.sure else ":material/help:"
            chosen = proposal.options[0]
            if len(proposal.options) > 1:
                chosen = st.selectbox(
                    f"{plain(proposal.before)} → which?", proposal.options, key=f"{key}_option"
                )
            else:
                st.markdown(f"{mark} {plain(proposal.before)} → **{plain(chosen) or '(nothing)'}**")
            st.caption(f"{plain(proposal.reason)} · confidence {min(0.99, proposal.score):.0%}")
            if extra is not None:
                extra(proposal)
        right.button(
            "Accept", key=key, width="stretch", on_click=_accept, args=([(proposal, chosen)], keep)
        )
        right.button(
            "Reject", key=f"{key}_no", width="stretch", type="tertiary", on_click=_accept,
            args=([(proposal, proposal.before)], keep),
            help="The text stays as it is here; the log keeps that you decided so.",
        )  # fmt: skip


def _accept(chosen: list[tuple[Proposal, str]], keep: Callable[[], TextRow]) -> None:
    row = keep()
    edits = read_log(row)
    by = st.session_state.get(INITIALS) or "visitor"
    for proposal, after in chosen:
        edits = accept_proposal(edits, proposal, after, by)
    keep_log(row.id, edits)


def is_rejected(edit: Edit) -> bool:
    """Tell whether a proposal was rejected: its place is decided, and its text as it was."""
    return edit.before == edit.after


def mark_changes(places: Iterable[tuple[Edit, int, int]]) -> list[Mark]:
    """Return green marks for what was changed, none for what was rejected."""
    return [
        Mark(start, end, "green", f"was: {edit.before}")
        for edit, start, end in places
        if not is_rejected(edit)
    ]


def mark_proposals(text: str, edits: Sequence[Edit], proposals: Sequence[Proposal]) -> list[Mark]:
    """Return marks for the changed text: edits green, sure proposals blue, the others orange."""
    places = edit_places(edits)
    marks = mark_changes(places)
    for proposal in proposals:
        shift = sum(len(e.after) - len(e.before) for e, _, _ in places if e.end <= proposal.start)
        colour = "blue" if proposal.sure else "orange"
        title = f"{' / '.join(proposal.options[:3])} ({proposal.reason}, {proposal.score:.0%})"
        marks.append(Mark(proposal.start + shift, proposal.end + shift, colour, title))
    return [mark for mark in marks if mark.start < mark.end <= len(apply_edits(text, edits))]


def show_changed(text: str, edits: Sequence[Edit], proposals: Sequence[Proposal]) -> None:
    """Show the text as it is now, with what was changed and what is proposed."""
    show_marked(apply_edits(text, edits), mark_proposals(text, edits, proposals))
    st.caption("Green: changed. Blue: sure proposals. Orange: you decide. Hover for the reason.")


def show_log(row: TextRow | None) -> None:
    """Show every edit with its way back, and the log as a file."""
    edits = () if row is None else read_log(row)
    if row is None or not edits:
        st.info(
            "Nothing was changed yet. What you accept or reject is listed here and can be undone."
        )
        return
    st.markdown(
        f"{count(len(edits), 'decision')}, kept in this workspace with the text as it was given."
    )
    for place, edit in enumerate(edits):
        left, right = st.columns([5, 1], vertical_alignment="center")
        line = f"{plain(edit.before)} → **{plain(edit.after) or '(nothing)'}**"
        if is_rejected(edit):
            line = f"{plain(edit.before)}, **left as it is**"
        left.markdown(line if edit.undone is None else f"~~{line}~~ (undone)")
        left.caption(f"{edit.kind}, {plain(edit.reason)} · {edit.by}, {write_time(edit.when)}")
        right.button(
            "Undo" if edit.undone is None else "Redo", key=f"undo_{row.id}_{place}",
            width="stretch", on_click=_change, args=(row.id, place, edit.undone is None),
        )  # fmt: skip
    st.download_button(
        "Download the log", _write_log(edits), "edits.csv", "text/csv", on_click="ignore",
        key="download_log", icon=":material/download:",
    )  # fmt: skip


def _change(identity: str, place: int, undone: bool) -> None:
    row = load_text(state.current().workspace, identity)
    keep_log(row.id, change_edit(read_log(row), place, undone=undone))


def _write_log(edits: Sequence[Edit]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(asdict(edits[0])))
    writer.writeheader()
    writer.writerows(asdict(edit) for edit in edits)
    return buffer.getvalue().encode("utf-8-sig")
