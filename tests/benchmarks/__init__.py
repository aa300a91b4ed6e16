"""Benchmarks: ratios taken in one process on one machine, never a timed test.

`python -m tests.benchmarks [NAME …]` runs the modules of this folder that have a `rows()`.
"""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure: `value` beside its `limit` ("<= 2.5"), and what it was compared with."""

    name: str
    value: float
    limit: str
    compared_with: str
    detail: str = ""

    @property
    def held(self) -> bool | None:
        """Tell whether the limit holds; None where the row has no limit."""
        if not self.limit:
            return None
        sign, bound = self.limit.split()
        return self.value <= float(bound) if sign == "<=" else self.value >= float(bound)


def peak_memory() -> float:
    """Return the most this process held, in MB; `ru_maxrss` would start with the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024
