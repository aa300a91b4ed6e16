"""Read a sound file that nobody vouches for in a child process with limits on memory and time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from medcore.errors import DataError, MedcoreError
from medcore.sound import RATE, Sound, most_minutes, read_sound

SECONDS, SPARE_BYTES = 300, 2**30


def read_sound_isolated(path: Path, *, stopping: Callable[[], bool] = lambda: False) -> Sound:
    """Read a sound file in a child process; raises `DataError` when it refuses or breaks."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file '{path}'; check the name.")
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [sys.executable, "-m", "medcore.speech.isolation", str(path.absolute()), folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # What decoders say of a file may quote it: it goes nowhere.
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        _wait(child, path, stopping)
        return _collect(Path(folder), path)


def _wait(child: subprocess.Popen, path: Path, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while child.poll() is None:
        if stopping() or time.monotonic() > until:
            child.kill()
            child.wait()
            why = "Reading was stopped" if stopping() else f"It took over {SECONDS // 60} min"
            raise DataError(f"'{path.name}' was not read: {why}.")
        time.sleep(0.02)


def _collect(folder: Path, path: Path) -> Sound:
    answer = folder / "answer.json"
    if not answer.is_file():
        raise DataError(
            f"'{path.name}' could not be read: it broke the reader or needed too much memory. "
            "Save it as WAV and try again."
        )
    values = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in values:
        raise DataError(values["error"])
    return Sound(np.load(folder / "samples.npy", allow_pickle=False), tuple(values["notes"]))


def main(source: str, target: str) -> None:
    """What the child does: decode, and leave samples and notes in `target`."""
    _set_limits()
    folder = Path(target)
    try:
        sound = read_sound(Path(source))
        np.save(folder / "samples.npy", sound.samples, allow_pickle=False)
        values = {"notes": list(sound.notes)}
    except MedcoreError as error:
        values = {"error": str(error)}
    except MemoryError:
        values = {"error": f"'{Path(source).name}' needs more memory than there is; shorten it."}
    (folder / "answer.json").write_text(json.dumps(values), encoding="utf-8")
    # Threads of libraries must not outlive the answer.
    os._exit(0)


def _set_limits() -> None:
    """Limit this process to what it takes already and what the longest recording needs."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    samples = 4 * RATE * 60 * most_minutes()
    most = psutil.Process().memory_info().vms + 4 * samples + SPARE_BYTES
    with contextlib.suppress(ValueError, OSError):  # nor has every macOS
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


if __name__ == "__main__":
    main(*sys.argv[1:])
