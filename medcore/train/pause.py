"""Looking up from a fit: to write a checkpoint, to see whether to stop, to see it go astray."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from medcore.errors import FitError
from medcore.train.fit import Checkpoint, Fit, write_fit

PAUSE_SECONDS = 0.25
CHECKPOINT_SECONDS = 2.0


@dataclass
class Pause:
    """Looks up from the work about four times a second."""

    state: Fit
    checkpoint: Checkpoint | None
    key: str
    stopping: Callable[[], bool]
    next_look: float = field(default_factory=time.perf_counter)
    next_write: float = field(default_factory=lambda: time.perf_counter() + CHECKPOINT_SECONDS)
    stopped: bool = False

    def due(self) -> bool:
        """Tell whether it is time to `look`."""
        return time.perf_counter() >= self.next_look

    def look(self) -> bool:
        """Write a checkpoint when it is time, and tell whether to stop."""
        check_loss(float(self.state.loss_sum), self.state.epoch)
        self.stopped = self.stopped or self.stopping()
        if self.stopped or time.perf_counter() >= self.next_write:
            self.write()
        self.next_look = time.perf_counter() + PAUSE_SECONDS
        return self.stopped

    def write(self) -> None:
        """Write a checkpoint now."""
        if self.checkpoint is not None:
            write_fit(self.state, self.checkpoint, self.key)
        self.next_write = time.perf_counter() + CHECKPOINT_SECONDS


def check_loss(loss: float, epoch: int) -> None:
    """Raise `FitError` when a loss is no longer a number."""
    if not math.isfinite(loss):
        raise FitError(
            f"Training went astray in epoch {epoch} (the loss is no longer a number): lower the "
            "learning rate, or switch gradient clipping on."
        )
