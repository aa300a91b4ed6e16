"""Names that stand for patients, studies and places: the same each time, and only with the secret.

A keyed hash (HMAC-SHA-256) of what identifies somebody; without the workspace's secret nobody can
tell from a pseudonym who it is, nor try out whom it could be.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

# Dates move back by up to ten years, each patient's by the same number of days.
MOST_DAYS = 3650


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms of one workspace; `secret` never leaves it."""

    secret: bytes

    def _code(self, kind: str, *words: str) -> bytes:
        text = "\0".join((kind, *words)).encode("utf-8", "surrogatepass")
        return hmac.digest(self.secret, text, hashlib.sha256)

    def _name(self, kind: str, letter: str, words: str) -> str:
        code = base64.b32encode(self._code(kind, words)[:10]).decode()
        return f"{letter}-{code[:12]}"

    def patient(self, identifier: str) -> str:
        """Return the pseudonym of a patient known by an identifier.

        >>> a, b = (Pseudonyms(b"secret").patient(name) for name in ("4711", " 4711 "))
        >>> a == b, "4711" in a
        (True, False)
        """
        return self._name("patient", "P", " ".join(identifier.split()).upper())

    def patient_of(self, header: Dataset) -> str:
        """Return the pseudonym of whom a file is of: by record number, else name, else study."""
        known = str(header.get("PatientID") or "").strip()
        if known:
            return self.patient(known)
        name, born = (str(header.get(n) or "") for n in ("PatientName", "PatientBirthDate"))
        if name.strip(" ^"):
            return self._name("named", "P", f"{' '.join(name.split()).upper()}\0{born.strip()}")
        return self._name("study", "P", str(header.get("StudyInstanceUID") or ""))

    def site_of(self, header: Dataset) -> str | None:
        """Return the pseudonym of the hospital that a file names, if it names one."""
        name = " ".join(str(header.get("InstitutionName") or "").split()).upper()
        return self._name("site", "S", name) if name else None

    def uid(self, uid: str) -> str:
        """Return the unique identifier that stands for another one, below the root for UUIDs."""
        return f"2.25.{int.from_bytes(self._code('uid', uid.strip())[:16], 'big')}"

    def shift(self, patient: str, date: datetime.date) -> datetime.date:
        """Return a date as it is kept of a patient: all move alike, so intervals stay."""
        days = 1 + int.from_bytes(self._code("shift", patient)[:8], "big") % MOST_DAYS
        return max(date, datetime.date.min + datetime.timedelta(days)) - datetime.timedelta(days)
