"""Data in: readers, kinds and roles, repairs, samples, and the rows that a run uses."""

from pathlib import Path

from medcore.data.configure import (
    ColumnMatch,
    assign_columns,
    configure_dataset,
    configure_rows,
    dataset_json,
)
from medcore.data.course import (
    fold_visits,
    has_visits,
    input_kinds_of,
    is_course,
    outcome_sources,
    read_window,
    series_column,
    write_window,
)
from medcore.data.dicom.brought import Wishes
from medcore.data.followup import read_causes
from medcore.data.horizons import write_horizon
from medcore.data.isolation import read_table_isolated
from medcore.data.kinds import outcome_candidates
from medcore.data.labels import gather_labels, join_findings, read_labels, write_labels
from medcore.data.media import new_media_folder
from medcore.data.medmnist import MEDMNIST
from medcore.data.modality import told_modality
from medcore.data.outcome import infer_task, outcome_classes
from medcore.data.samples import SAMPLES, Sample, load_sample
from medcore.data.sources import holds_media
from medcore.data.table import MemoryEstimate, estimate_memory, make_dataset, read_cells, read_table
from medcore.data.treatment import treatment_arms
from medcore.records import Dataset

__all__ = [
    "MEDMNIST",
    "SAMPLES",
    "ColumnMatch",
    "MemoryEstimate",
    "Sample",
    "Wishes",
    "assign_columns",
    "configure_dataset",
    "configure_rows",
    "dataset_json",
    "estimate_memory",
    "fold_visits",
    "gather_labels",
    "has_visits",
    "holds_media",
    "infer_task",
    "input_kinds_of",
    "is_course",
    "join_findings",
    "load_sample",
    "make_dataset",
    "open_dataset",
    "outcome_candidates",
    "outcome_classes",
    "outcome_sources",
    "read_causes",
    "read_cells",
    "read_labels",
    "read_table",
    "read_table_isolated",
    "read_window",
    "series_column",
    "told_modality",
    "treatment_arms",
    "write_horizon",
    "write_labels",
    "write_window",
]


def open_dataset(
    source: str | Path, *, least_columns: int = 2, wishes: Wishes | None = None
) -> Dataset:
    """Return the data set that a path or `sample:NAME` stands for.

    A table is read here; images are decoded in a process of their own, into a folder that lasts as
    long as this process; `wishes` say how. Raises `DataError`.
    """
    if str(source).startswith("sample:"):
        return load_sample(str(source).removeprefix("sample:"))
    path = Path(source)
    if not holds_media(path):
        return read_table(path, least_columns=least_columns)
    folder = new_media_folder().parent
    return read_table_isolated(
        path, name=path.stem, folder=folder, least_columns=least_columns, wishes=wishes
    )
