"""Benchmarks: ratios taken in one process on one machine, never a timed test.

`python -m tests.benchmarks [NAME …]` runs the modules of this folder that have a `rows()`.
"""

from dataclasses import dataclass


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
