"""The report that writes itself: what a finished run's folder knows, for readers and for machines.

`facts.py` reads the folder, `patients.py`, `making.py` and `training.py` put it in sentences,
`checklist.py`, `tripod.py` and `claim.py` fill in checklists, `document.py` and `card.py` write the
report and the model card, `exchange.py` the ONNX model (`graph.py`, `members.py`), `write.py` all.
"""

from medcore.report.author import AuthorWords, author_words, keep_author_words
from medcore.report.write import Report, read_summary, report_is_current, write_report

__all__ = [
    "AuthorWords",
    "Report",
    "author_words",
    "keep_author_words",
    "read_summary",
    "report_is_current",
    "write_report",
]
