"""Home: what this is, and the shortest way to a judged model."""

import streamlit as st

from medcore.data import SAMPLES, Sample, load_sample
from medcore.store import list_datasets, list_runs, save_dataset
from pages.parts import state
from pages.parts.frame import write_time
from pages.parts.runs import show_figures


def start_sample(sample: Sample) -> None:
    """Take a sample into use and open it on Data."""
    with st.spinner("Opening the sample …"):
        row = save_dataset(state.current().workspace, load_sample(sample.name))
    state.use(state.DATASET, row.id)
    state.use(state.RUN, None)
    state.go("data")


def show_samples(samples: list[Sample]) -> None:
    """Show samples side by side, each with a button that takes it into use."""
    for column, sample in zip(st.columns(len(samples)), samples, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{sample.question}**")
            st.caption(sample.teaches)
            if st.button(
                sample.title, key=f"sample_{sample.name}", width="stretch",
                type="primary" if sample is SAMPLES[0] else "secondary",
            ):  # fmt: skip
                start_sample(sample)
            st.caption(f"{sample.licence}. {sample.source}")


st.title("From patients to a model you can judge", anchor=False)
st.markdown(
    "Bring tables, images, recordings or notes. medcore checks them, trains a deep model beside "
    "simple ones, and says in plain words how good it is, for whom, and what it cannot do."
)

st.subheader("Start with real patients", anchor=False)
show_samples([sample for sample in SAMPLES if not sample.synthetic])
st.subheader("Or with synthetic patients", anchor=False)
show_samples([sample for sample in SAMPLES if sample.synthetic])

st.subheader("Or bring your own", anchor=False)
state.link(
    "data",
    "Upload a table (CSV, Excel, Parquet, Stata, SAS, SPSS), images or recordings",
    ":material/upload:",
)
st.caption(
    "Your data stay on this server, in a workspace that only its unguessable address opens. No "
    "telemetry."
)

workspace = state.current().workspace
runs = list_runs(workspace, limit=5)
datasets = list_datasets(workspace)
if datasets:
    st.subheader("Go on where you were", anchor=False)
for run in runs:
    with st.container(border=True):
        left, middle, right = st.columns([3, 4, 1], vertical_alignment="center")
        left.markdown(f"**{run.name}**  \n{write_time(run.created)}")
        with middle:
            show_figures(run)
        if right.button("Open", key=f"open_{run.id}", width="stretch"):
            state.use(state.RUN, run.id)
            state.use(state.DATASET, run.dataset)
            state.go("results" if run.state == "finished" else "train")
if not runs:
    for row in datasets[:5]:
        if st.button(f"{row.name}: {row.rows:,} rows", key=f"dataset_{row.id}"):
            state.use(state.DATASET, row.id)
            state.go("data")
