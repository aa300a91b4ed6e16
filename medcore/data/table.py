"""Read a table file: the format is told by content, the rest by the readers of the field."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

from medcore.data.kinds import infer_columns, settle_types
from medcore.data.text import read_text, read_words
from medcore.errors import DataError
from medcore.records import Dataset, LedgerEntry

MOST_BYTES = 500 * 2**20
XLSX_BYTES = 400 * 2**20
XLSX_RATIO = 200
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
# Bytes of memory per byte of file while reading, measured on wide numeric tables; compressed
# formats unfold.
UNFOLD = {"text": 3.0, "xlsx": 25.0, "parquet": 8.0, "stata": 3.0, "sas": 4.0, "spss": 6.0}


@dataclass(frozen=True)
class MemoryEstimate:
    """What reading a file would take, in bytes; `sentence` says it in words."""

    file_bytes: int
    frame_bytes: int
    available_bytes: int
    fits: bool
    sentence: str


def estimate_memory(path: Path) -> MemoryEstimate:
    """Tell before reading whether the table would fit into memory."""
    size = path.stat().st_size
    needed = int(size * UNFOLD.get(_find_format(path), 1.0))
    available = _available_bytes()
    fits = needed < available * 0.8
    megabytes = f"{needed / 2**20:,.0f} MB of memory, {available / 2**20:,.0f} MB are free"
    return MemoryEstimate(size, needed, available, fits, f"Reading needs about {megabytes}")


def _available_bytes() -> int:
    """Return free memory, or what is left of the container's limit where that is less."""
    free = psutil.virtual_memory().available
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return free
    return max(0, min(free, limit - used))


def read_table(path: str | Path, *, name: str | None = None, least_columns: int = 2) -> Dataset:
    """Read a CSV, TSV, XLSX, Parquet, Stata, SAS or SPSS file.

    `least_columns`: 2 to train on (an outcome and an input), 1 for new patients. Raises
    `DataError` when it is absent, empty, too large, damaged or not a table.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file '{path}'; check the name.")
    if not path.stat().st_size:
        raise DataError(f"'{path.name}' is empty; export the table again.")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(
            f"'{path.name}' has {path.stat().st_size / 2**20:,.0f} MB; "
            f"at most {MOST_BYTES // 2**20} MB are read. Leave out columns that are not needed."
        )
    estimate = estimate_memory(path)
    if not estimate.fits:
        raise DataError(
            f"'{path.name}' does not fit: {estimate.sentence}. Leave out columns or rows."
        )
    frame = _read_frame(path)
    return make_dataset(frame, name or path.stem, path.name, hash_file(path), least_columns)


def read_cells(source: str | Path, dataset: Dataset) -> pd.DataFrame:
    """Return a file's cells as they stand: for text files the very words, else the values."""
    path = Path(source)
    if path.is_file() and dataset.media is None and _find_format(path) == "text":
        return read_words(path)
    # The names under which pictures and recordings are kept tell nobody anything.
    kept = [
        column.name for column in dataset.columns if column.kind not in ("image", "audio", "series")
    ]
    return dataset.frame[kept].reset_index(drop=True)


def make_dataset(
    frame: pd.DataFrame, name: str, source: str, sha256: str, least_columns: int = 2
) -> Dataset:
    """Return a data set with kinds and roles inferred; rows are numbered from 0."""
    frame.columns = [str(column).strip() for column in frame.columns]
    _check_shape(frame, source, least_columns)
    frame = frame.reset_index(drop=True)
    frame, notes = settle_types(frame)
    columns = infer_columns(frame, notes)
    entry = LedgerEntry(
        "read", f"Read from {source}.", len(frame), len(frame), len(columns), len(columns)
    )
    return Dataset(name, source, sha256, frame, columns, (entry,))


def _check_shape(frame: pd.DataFrame, source: str, least_columns: int) -> None:
    if not len(frame):
        raise DataError(f"'{source}' has a header but no rows; export the table again.")
    if frame.shape[1] < least_columns:
        raise DataError(
            f"'{source}' has a single column; a model needs an outcome and at least one input. "
            "Check the delimiter."
        )
    doubles = frame.columns[frame.columns.duplicated()]
    if len(doubles):
        raise DataError(
            f"The column name '{doubles[0]}' stands more than once in '{source}'; "
            "give each column a name of its own."
        )


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_format(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(96)
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:4] == b"PK\x03\x04":
        return "xlsx" if _is_sheet(path) else "media"
    if head.startswith(PICTURES):
        return "media"
    if head[:11] == b"<stata_dta>" or (path.suffix.lower() == ".dta" and 102 <= head[0] <= 115):
        return "stata"
    if head[:3] in (b"$FL", b"PSP"):
        return "spss"
    if head[:13] == b"HEADER RECORD" or path.suffix.lower() == ".sas7bdat":
        return "sas"
    return "text"


def _is_sheet(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except zipfile.BadZipFile:
        return True


def _read_frame(path: Path) -> pd.DataFrame:
    kind = _find_format(path)
    if kind == "media":
        kind = "xlsx" if zipfile.is_zipfile(path) else "text"
    if kind == "text":
        return read_text(path)
    if kind == "xlsx":
        return _read_xlsx(path)
    if kind == "parquet":
        return _read_parquet(path)
    return _read_statistics(path, kind)


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow

    try:
        return pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, "Parquet", error) from None


def _read_xlsx(path: Path) -> pd.DataFrame:
    """Read the first sheet that holds a table; refuse an archive that would unfold too far."""
    from python_calamine import CalamineError

    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise _damaged(path, "XLSX", error) from None
    size = sum(entry.file_size for entry in entries)
    ratio = max((e.file_size / max(e.compress_size, 1) for e in entries), default=0)
    if size > XLSX_BYTES or (ratio > XLSX_RATIO and size > 50 * 2**20) or len(entries) > 10_000:
        raise DataError(
            f"'{path.name}' would unfold to {size / 2**20:,.0f} MB, which is not opened; "
            "save the table as CSV."
        )
    if not any(entry.filename.startswith("xl/") for entry in entries):
        raise DataError(f"'{path.name}' is an archive, not a spreadsheet; unpack it first.")
    try:
        sheets = pd.read_excel(path, sheet_name=None, engine="calamine")
    except (CalamineError, ValueError, KeyError) as error:
        raise _damaged(path, "XLSX", error) from None
    tables = [sheet for sheet in sheets.values() if sheet.shape[1] > 1 and len(sheet)]
    if not tables:
        raise DataError(f"'{path.name}' has no sheet with a header and rows.")
    return tables[0]


def _read_statistics(path: Path, kind: str) -> pd.DataFrame:
    import pyreadstat

    readers = {
        "stata": pyreadstat.read_dta,
        "spss": pyreadstat.read_sav,
        "sas": pyreadstat.read_sas7bdat,
    }
    reader = readers[kind]
    if kind == "sas" and path.suffix.lower() != ".sas7bdat":
        reader = pyreadstat.read_xport
    try:
        frame, meta = reader(str(path))
    except (pyreadstat.ReadstatError, ValueError, OSError) as error:
        raise _damaged(path, kind.capitalize(), error) from None
    if meta.variable_value_labels:
        frame = pyreadstat.set_value_labels(frame, meta, formats_as_category=False)
    return frame


def _damaged(path: Path, kind: str, error: Exception) -> DataError:
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return DataError(f"'{path.name}' cannot be read as {kind} ({reason}); save it again.")
