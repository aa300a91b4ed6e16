"""Copies among the images of a data set: the same picture twice, and in which classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from medcore.data.likeness import find_copies, has_prints, read_prints
from medcore.errors import MedcoreError
from medcore.jobs import list_jobs, start_comparison
from medcore.records import Dataset
from pages.parts import state
from pages.parts.frame import count
from pages.parts.viewing import show_thumbnails
from pages.parts.waiting import watch_job

MOST, AT_ONCE, SHOWN = 25_000, 500, 10


@st.cache_data(scope="session", max_entries=4, show_spinner="Comparing all images …")
def compare_images(media: Path, names: tuple[str, ...]) -> pd.DataFrame:
    """Return pairs of copies among kept images by their names: first, second, kind, likeness."""
    prints = read_prints(media, names)
    pairs = find_copies(prints)
    for side in ("first", "second"):
        pairs[side] = [prints.names[place] for place in pairs[side]]
    return pairs


def pair_rows(dataset: Dataset, column: str, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return pairs of rows whose images are copies: first, second (row ids), kind, likeness.

    Rows that share one file are equal.
    """
    names = dataset.frame[column].dropna().astype(str)
    rows = pd.DataFrame({"name": names, "row": names.index})
    shared = rows.merge(rows, on="name", suffixes=("_a", "_b"))
    shared = shared[shared["row_a"] < shared["row_b"]]
    equal = pd.DataFrame({"first": shared["row_a"], "second": shared["row_b"], "kind": "equal",
                          "likeness": 1.0})  # fmt: skip
    named = pairs.merge(rows, left_on="first", right_on="name")
    named = named.merge(rows, left_on="second", right_on="name", suffixes=("_a", "_b"))
    near = named[["row_a", "row_b", "kind", "likeness"]].set_axis(equal.columns, axis=1)
    sides = ["first", "second"]
    near[sides] = np.sort(near[sides].to_numpy(), axis=1)
    return pd.concat([equal, near], ignore_index=True)


def show_copies(dataset: Dataset, column: str, labels: pd.Series) -> None:
    """Show which images are copies of each other, equal or nearly."""
    assert dataset.media is not None
    names = tuple(sorted(dataset.frame[column].dropna().astype(str).unique()))
    st.markdown(
        "A picture that is there twice, once to learn from and once to be judged on, makes a model "
        "look better than it is. Equal pictures agree in every pixel; near copies were saved anew, "
        "brightened, made smaller or written on."
    )
    if len(names) > MOST:
        st.info(f"{len(names):,} images are more than are compared here ({MOST:,}).")
        return
    if len(names) > AT_ONCE and not has_prints(dataset.media, names):
        _offer(column, len(names))
        return
    pairs = pair_rows(dataset, column, compare_images(dataset.media, names))
    if pairs.empty:
        st.success(f"None of {len(names):,} images is a copy of another.",
                   icon=":material/check_circle:")  # fmt: skip
        return
    _tell(dataset, pairs, labels)
    for pair in pairs.head(SHOWN).itertuples():
        left, right = st.columns([2, 3], vertical_alignment="center")
        with left:
            show_thumbnails(dataset, column, [pair.first, pair.second], labels)
        alike = "equal in every pixel" if pair.kind == "equal" else f"alike: {pair.likeness:.2f}"
        right.markdown(f"Rows {pair.first + 1:,} and {pair.second + 1:,}: {alike}")
    table = pairs.assign(first=pairs["first"] + 1, second=pairs["second"] + 1)
    st.download_button(f"Download {count(len(pairs), 'pair')}", table.to_csv(index=False),
                       "copies.csv", "text/csv", key="copies_csv", on_click="ignore")  # fmt: skip


def _offer(column: str, images: int) -> None:
    """Let many images be compared in the background."""
    now = state.current()
    assert now.dataset is not None
    jobs = list_jobs(now.workspace, kind="compare")
    job = next((j for j in jobs if j.payload["dataset"] == now.dataset.id), None)
    if job is not None and job.active:
        watch_job(job.id)
        return
    if job is not None and job.state == "failed":
        st.error(job.error or "The comparison failed.", icon=":material/error:")
    label = f"Compare all {images:,} images"
    if st.button(label, key="compare", type="primary", icon=":material/content_copy:"):
        try:
            start_comparison(now.workspace, now.dataset.id, column)
        except MedcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.rerun()


def _tell(dataset: Dataset, pairs: pd.DataFrame, labels: pd.Series) -> None:
    equal = int((pairs["kind"] == "equal").sum())
    said = [f"**{count(equal, 'pair')} of equal images and "
            f"{count(len(pairs) - equal, 'pair')} of near copies**"]  # fmt: skip
    for words, values in _sides(dataset, labels):
        a, b = values.reindex(pairs["first"]), values.reindex(pairs["second"])
        apart = int(
            (a.to_numpy() != b.to_numpy())[(a.notna().to_numpy() & b.notna().to_numpy())].sum()
        )
        said.append(f"{apart:,} {words}")
    st.warning("; ".join(said) + ". The leakage certificate of a run counts them across its parts.",
               icon=":material/content_copy:")  # fmt: skip


def _sides(dataset: Dataset, labels: pd.Series) -> list[tuple[str, pd.Series]]:
    sides = [("with different outcomes", labels.astype("string"))] if len(labels.dropna()) else []
    patients = dataset.with_role("patient")
    if patients:
        name = patients[0].name
        sides.append(("of different patients", dataset.frame[name].astype("string")))
    if "split" in dataset.frame.columns:
        sides.append(("across the given parts", dataset.frame["split"].astype("string")))
    return sides
