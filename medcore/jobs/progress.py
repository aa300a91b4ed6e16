"""How far a job is: the share that is done, what it does now, and the seconds that are left."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from medcore.records import Event

KEPT = 64
# Below these an estimate would jump about.
LEAST_SECONDS, LEAST_SHARE, LEAST_SAMPLES = 2.0, 0.02, 3


def estimate_seconds(history: list[tuple[float, float]], now: float) -> float | None:
    """Return the seconds left, from (time, fraction) pairs in order; None while nobody can say.

    The speed is the median of those from each earlier moment to now, so that neither a slow start
    nor one quick step decides; while nothing moves, the time left grows.

    >>> estimate_seconds([(0, 0.0), (10, 0.1), (20, 0.2), (30, 0.3)], 30)
    70.0
    """
    if len(history) < LEAST_SAMPLES:
        return None
    first, last = history[0], history[-1]
    if now - first[0] < LEAST_SECONDS or last[1] - first[1] < LEAST_SHARE:
        return None
    speeds = [(last[1] - share) / (now - when) for when, share in history[:-1] if now > when]
    speed = statistics.median(speeds) if speeds else 0.0
    return round((1 - last[1]) / speed, 3) if speed > 0 else None


@dataclass
class Progress:
    """What a worker's steps told last; written by one thread, read by another."""

    fraction: float = 0.0
    message: str = ""
    _history: list[tuple[float, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, event: Event) -> None:
        """Take in an event; the fraction never falls."""
        with self._lock:
            self.fraction = min(1.0, max(self.fraction, event.fraction))
            self.message = event.message
            self._history.append((time.time(), self.fraction))
            if len(self._history) > KEPT:
                # Every second one goes: the far past thins out, nothing is forgotten at once.
                self._history = [*self._history[: KEPT // 2 : 2], *self._history[KEPT // 2 :]]

    def values(self) -> dict[str, Any]:
        """Return what the job's row shows of it."""
        with self._lock:
            left = estimate_seconds(self._history, time.time())
            return {"fraction": self.fraction, "message": self.message, "seconds_left": left}
