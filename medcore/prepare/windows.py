"""Courses as arrays: the visits lie end to end once, and each row's window is cut out when asked.

What a network gets of a window are `steps` moments; of each: whether there is one, when it was
(before the index visit, so not above 0), and for each channel its standardised value and whether
it was measured. The earliest comes first; moments that are not there stand at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# What comes before the channels of a moment: it is there, its time.
LEAD = 2
# What lies further from the usual value counts as so far: a slip of the keyboard must not rule.
FAR = 8.0


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of visits, cut out by position as an array's items are.

    `values` float32 (visits, channels), standardised, NaN where not measured; `time` float64
    (visits,); `start`, `stop` int64 and `index` float64 (items,); `scale` is the unit of time.
    """

    values: np.ndarray
    time: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    index: np.ndarray
    steps: int
    scale: float

    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Items, moments, and what is told of each."""
        return len(self.start), self.steps, LEAD + 2 * self.values.shape[1]

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, items: np.ndarray) -> np.ndarray:
        """Return float32 (len(items), steps, 2 + 2 × channels)."""
        items = np.asarray(items)
        stop = self.stop[items]
        start = np.maximum(self.start[items], stop - self.steps)
        places = start[:, None] + np.arange(self.steps)
        there = places < stop[:, None]
        out = np.zeros((len(items), *self.shape[1:]), dtype=np.float32)
        if not len(self.values):
            return out
        places = np.where(there, places, 0)
        channels = self.values.shape[1]
        out[..., 0] = there
        ago = (self.time[places] - self.index[items][:, None]) / self.scale
        out[..., 1] = np.where(there, ago, 0)
        found = self.values[places]
        known = there[..., None] & ~np.isnan(found)
        out[..., LEAD : LEAD + channels] = np.where(known, found, 0).clip(-FAR, FAR)
        out[..., LEAD + channels :] = known
        return out
