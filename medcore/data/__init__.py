"""Data in: readers, kinds and roles, repairs, samples, and the rows that a run uses."""

from pathlib import Path

from medcore.data.configure import (
    ColumnMatch,
    assign_columns,
    configure_dataset,
    configure_rows,
    dataset_json,
    infer_task,
    outcome_classes,
)
from medcore.data.isolation import read_table_isolated
from medcore.data.kinds import outcome_candidates
from medcore.data.samples import SAMPLES, Sample, load_sample
from medcore.data.table import MemoryEstimate, estimate_memory, make_dataset, read_cells, read_table
from medcore.errors import DataError
from medcore.records import Dataset

__all__ = [
    "SAMPLES",
    "ColumnMatch",
    "MemoryEstimate",
    "Sample",
    "assign_columns",
    "configure_dataset",
    "configure_rows",
    "dataset_json",
    "estimate_memory",
    "infer_task",
    "load_sample",
    "make_dataset",
    "open_dataset",
    "outcome_candidates",
    "outcome_classes",
    "read_cells",
    "read_table",
    "read_table_isolated",
]


def open_dataset(source: str | Path, *, least_columns: int = 2) -> Dataset:
    """Return the data set that a file path or `sample:NAME` stands for; see `read_table`."""
    if str(source).startswith("sample:"):
        return load_sample(str(source).removeprefix("sample:"))
    if Path(source).is_dir():
        raise DataError(f"'{source}' is a folder; give a table file.")
    return read_table(source, least_columns=least_columns)
