"""Notes made more accurate: what they say, where they contradict, what identifies the patient.

Pure functions of text; nothing here changes a note. Proposals and edits are the lexicon's records.
"""

from medcore.notes.abbreviations import find_abbreviations
from medcore.notes.column import RowFound, scan_column
from medcore.notes.context import Finding, find_findings
from medcore.notes.contradictions import (
    Contradiction,
    Place,
    ReadNote,
    count_kinds,
    find_contradictions,
    read_note,
)
from medcore.notes.copied import Passage, copied_share, find_copied
from medcore.notes.identifiers import Identifier, find_identifiers
from medcore.notes.sections import (
    DEFAULT_RULES,
    Section,
    find_sections,
    read_rules,
    section_at,
    write_rules,
)
from medcore.notes.spelling import find_misspellings
from medcore.notes.surrogates import Surrogates, propose_surrogates, shift_date

__all__ = [
    "DEFAULT_RULES",
    "Contradiction",
    "Finding",
    "Identifier",
    "Passage",
    "Place",
    "ReadNote",
    "RowFound",
    "Section",
    "Surrogates",
    "copied_share",
    "count_kinds",
    "find_abbreviations",
    "find_contradictions",
    "find_copied",
    "find_findings",
    "find_identifiers",
    "find_misspellings",
    "find_sections",
    "propose_surrogates",
    "read_note",
    "read_rules",
    "scan_column",
    "section_at",
    "shift_date",
    "write_rules",
]
