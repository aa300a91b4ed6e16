"""What goes wrong inside other people's parsers, turned into one sentence.

The sentence has no subject: whoever calls knows which file it is about, and how to name it without
giving a patient away.
"""

from __future__ import annotations

import contextlib
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator

from medcore.errors import DataError

# What parsers of the field raise on input that is not what it says it is.
BROKEN = (
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
PARSERS, SILENT = ("pydicom", "PIL", "nibabel"), logging.CRITICAL + 1


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Turn what goes wrong inside into a `DataError` that says what the file does wrong.

    Also keeps parsers from saying what they think of a file: they quote values, a patient's name
    too.
    """
    for name in PARSERS:
        # Setting a level anew forgets what all loggers know, which takes longer than a header.
        if (logger := logging.getLogger(name)).level != SILENT:
            logger.setLevel(SILENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except MemoryError:
        raise DataError("needs more memory than there is") from None
    except RecursionError:
        raise DataError("is nested too deep to be read") from None
    except Exception as error:
        if not is_refusal(error):
            raise
        raise DataError(f"is damaged ({reason_of(error)})") from None


def is_refusal(error: Exception) -> bool:
    """Tell whether an error is a parser's way of saying no."""
    return isinstance(error, BROKEN) or type(error).__module__.startswith(PARSERS)


def reason_of(error: Exception) -> str:
    """Return a parser's complaint without values: they may be a patient's."""
    return {
        "RecursionError": "nested too deep",
        "EOFError": "it ends early",
        "InvalidDicomError": "not a DICOM file",
        "ValueError": "a value is not what it must be",
        "AttributeError": "something it must have is missing",
        "KeyError": "something it must have is missing",
        "NotImplementedError": "a way of storing that is not known here",
        "OverflowError": "a number is too large",
    }.get(type(error).__name__, "its parts do not fit together")
