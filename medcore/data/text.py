"""Delimited text: encoding, delimiter, decimal sign and line ends found from the file's content."""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medcore.errors import DataError

SAMPLE_BYTES = 262_144
DELIMITERS = ",;\t|"
# "None" and "NA" differ: nobody writes NA for a treatment, but "None" can be one.
MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "<NA>"]
BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Dialect:
    """How a text file is written. `encoding` is None where UTF-8 fits the sample."""

    encoding: str
    delimiter: str
    decimal: str


def read_text(path: Path) -> pd.DataFrame:
    """Read a CSV, TSV or similar file; raises `DataError` with the line that does not fit."""
    return _read(path, {"na_values": MISSING, "keep_default_na": False})


def read_words(path: Path) -> pd.DataFrame:
    """Read every cell of a text table as it stands, an empty one as an empty word."""
    return _read(path, {"dtype": str, "keep_default_na": False, "na_filter": False})


def _read(path: Path, options: dict) -> pd.DataFrame:
    head = _read_head(path)
    encoding = _find_encoding(head, path)
    try:
        return _parse(path, _find_dialect(head, encoding, path), options)
    except UnicodeDecodeError:
        # Optimism costs nothing: only a file that fails as UTF-8 is looked at byte by byte.
        other = _guess_encoding(path)
    try:
        return _parse(path, _find_dialect(head, other, path), options)
    except UnicodeDecodeError:
        raise DataError(
            f"'{path.name}' is written in no one alphabet: it is not UTF-8, and not {other} "
            "throughout; save it as UTF-8 and try again."
        ) from None


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SAMPLE_BYTES)


def _find_encoding(head: bytes, path: Path) -> str:
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        raise DataError(
            f"'{path.name}' is not a text table (it holds binary data); "
            "save it as CSV, XLSX or Parquet and try again."
        )
    control = sum(byte < 32 and byte not in (9, 10, 12, 13) for byte in head[:4096])
    if control > len(head[:4096]) // 50:
        raise DataError(
            f"'{path.name}' is not a text table (it holds binary data); "
            "save it as CSV, XLSX or Parquet and try again."
        )
    return "utf-8"


def _guess_encoding(path: Path) -> str:
    from charset_normalizer import from_bytes

    with path.open("rb") as file:
        bad = next((line for line in file if not _is_utf8(line)), b"")
    best = from_bytes(bad, cp_isolation=["cp1252", "cp1250", "cp1251", "mac_roman"]).best()
    return best.encoding if best else "cp1252"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _find_dialect(head: bytes, encoding: str, path: Path) -> Dialect:
    text = head.decode(encoding, errors="replace")
    if len(head) == SAMPLE_BYTES:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    if not lines:
        raise DataError(f"'{path.name}' is empty; export the table again.")
    if len(lines) == 1 and len(head) < SAMPLE_BYTES:
        raise DataError(f"'{path.name}' has a header but no rows; export the table again.")
    delimiter = _find_delimiter(lines)
    rows = list(csv.reader(lines, delimiter=delimiter))
    _check_header(rows, path)
    cells = [cell.strip() for row in rows[1:] for cell in row]
    commas = sum(bool(re.fullmatch(r"[-+]?\d+,\d+", cell)) for cell in cells)
    points = sum(bool(re.fullmatch(r"[-+]?\d+\.\d+", cell)) for cell in cells)
    # "265,000" is a count in English; a comma before other than three digits is a decimal sign.
    other = sum(bool(re.fullmatch(r"[-+]?\d+,(\d{1,2}|\d{4,})", cell)) for cell in cells)
    decimal = "," if commas > points and other > commas / 4 and delimiter != "," else "."
    return Dialect(encoding, delimiter, decimal)


def _find_delimiter(lines: list[str]) -> str:
    """Return the sign that cuts most lines into the same number of cells, at least two."""

    def score(delimiter: str) -> tuple[float, int]:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, same = counts.most_common(1)[0]
        return (same / len(lines) if width > 1 else 0, width)

    return max(DELIMITERS, key=score)


def _check_header(rows: list[list[str]], path: Path) -> None:
    header = [cell.strip() for cell in rows[0]]
    for name, times in Counter(header).items():
        if times > 1 and name:
            places = [str(i + 1) for i, other in enumerate(header) if other == name]
            raise DataError(
                f"The column name '{name}' stands {times} times in '{path.name}' "
                f"(columns {', '.join(places)}); give each column a name of its own."
            )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
            raise DataError(_too_long(path, number, len(header), len(row)))


def _too_long(path: Path, line: int, expected: int, found: int) -> str:
    return (
        f"Line {line} of '{path.name}' has {found} cells, but the header names {expected} columns; "
        "mend that line (often an unquoted delimiter in a text)."
    )


def _parse(path: Path, dialect: Dialect, options: dict) -> pd.DataFrame:
    try:
        # Piece by piece takes half the time and less memory, but types each piece by itself.
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.DtypeWarning)
            return _parse_text(path, dialect, options, low_memory=True)
    except pd.errors.DtypeWarning:
        return _parse_text(path, dialect, options, low_memory=False)
    except pd.errors.EmptyDataError:
        raise DataError(f"'{path.name}' is empty; export the table again.") from None
    except pd.errors.ParserError as error:
        found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if found:
            expected, line, saw = map(int, found.groups())
            raise DataError(_too_long(path, line, expected, saw)) from None
        raise DataError(
            f"'{path.name}' cannot be read as a table: {str(error).rstrip('.')}."
        ) from None


def _parse_text(path: Path, dialect: Dialect, options: dict, *, low_memory: bool) -> pd.DataFrame:
    return pd.read_csv(
        path,
        sep=dialect.delimiter,
        encoding=dialect.encoding,
        decimal=dialect.decimal,
        **options,
        skipinitialspace=True,
        skip_blank_lines=True,
        index_col=False,
        low_memory=low_memory,
        compression=None,
    )
