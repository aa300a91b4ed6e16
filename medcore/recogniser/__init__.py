"""A recogniser of one's own: trained on recordings and what was said, judged, and listened with."""

from medcore.recogniser.plan import RecogniserChoice, read_changes, read_recogniser_choice
from medcore.recogniser.use import OwnRecogniser, holds_recogniser, load_recogniser
from medcore.recogniser.words import write_measure, write_result
from medcore.recogniser.work import RESULT, train_recogniser

__all__ = [
    "RESULT",
    "OwnRecogniser",
    "RecogniserChoice",
    "holds_recogniser",
    "load_recogniser",
    "read_changes",
    "read_recogniser_choice",
    "train_recogniser",
    "write_measure",
    "write_result",
]
