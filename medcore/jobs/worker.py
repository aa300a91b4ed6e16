"""The worker: one process that carries out one job, tells how far it is, and stops when asked.

The main thread works; a second one, the pulse, looks at the job's row four times a second.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

import psutil

from medcore.errors import MedcoreError, StoreError
from medcore.jobs.handlers import HANDLERS, Handler
from medcore.jobs.processes import LOG, end_children, read_memory, this_host, this_process
from medcore.jobs.progress import Progress
from medcore.jobs.tending import tend
from medcore.records import Watch
from medcore.store import (
    Home,
    Job,
    Workspace,
    change_job,
    find_workspace,
    get_workspace,
    open_home,
    read_state,
    take_job,
)
from medcore.store.files import FULL

LOOK_SECONDS, BEAT_SECONDS = 0.25, 1.0
# With a look every quarter of a second, a job that does not heed a stop is gone within 2 s.
GRACE_SECONDS = 1.5
AT_WORK = ("running", "stopping")


def work(job_id: str, handlers: Mapping[str, Handler] = HANDLERS) -> int:
    """Carry out a queued job, then see to the next; returns 0, or 1 when the job failed.

    Raises `JobError` when there is no such job, or it is ended or at work in another process.
    """
    home = open_home()
    job = take_job(home, job_id, this_host(), *this_process())
    _give_way()
    workspace = get_workspace(home, job.workspace)
    pulse = Pulse(home, job, workspace)
    pulse.start()
    try:
        values = _attempt(workspace, job, handlers, pulse.watch)
    finally:
        pulse.end()
    _end(home, job, pulse.progress.values() | {"seconds_left": None} | values)
    _clean_up(home, workspace)
    tend(home)
    return 1 if values["state"] == "failed" else 0


def _give_way() -> None:
    """Let the pages' server go first where both want the processor."""
    with contextlib.suppress(OSError):
        os.nice(5)


def _attempt(
    workspace: Workspace, job: Job, handlers: Mapping[str, Handler], watch: Watch
) -> dict[str, Any]:
    """Return what becomes of the job's row. The border that no error passes, known or not."""
    try:
        result = handlers[job.kind](workspace, job, watch)
    except MedcoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return {"state": "failed", "error": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"state": "failed", "error": _explain(error)}
    if result is None:
        return {"state": "stopped"}
    return {"state": "finished", "result": result}


def _explain(error: Exception) -> str:
    if getattr(error, "errno", None) in FULL or "No space left" in str(error):
        return (
            "The disk is full, so the work could not go on; free some space and start it again. "
            "Nothing saved before was lost."
        )
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate" in str(error):
        return (
            "Memory ran out: choose a smaller batch size or network, or fewer rows or columns, and "
            "try again."
        )
    return (
        "The program met a fault of its own and the work was ended; your data is unchanged. "
        f"What happened stands in {LOG} in the job's folder."
    )


def _end(home: Home, job: Job, values: dict[str, Any]) -> None:
    if values["state"] == "finished":
        values |= {"fraction": 1.0}
    asked = values | ({} if values["state"] == "finished" else {"state": "stopped", "error": None})
    if not change_job(home, job.id, ("running",), of_attempt=job.attempt, **values):
        change_job(home, job.id, ("stopping",), of_attempt=job.attempt, **asked)


def _clean_up(home: Home, workspace: Workspace) -> None:
    """Remove what was written for a workspace that was deleted meanwhile."""
    if find_workspace(home, workspace.id) is None:
        shutil.rmtree(workspace.folder, ignore_errors=True)


class Pulse(threading.Thread):
    """Tells that the worker lives and how far it is; hears that it shall stop, and sees to it."""

    def __init__(self, home: Home, job: Job, workspace: Workspace) -> None:
        super().__init__(name="pulse", daemon=True)
        self.home, self.job, self.workspace = home, job, workspace
        self.progress = Progress(job.fraction, job.message)
        self.watch = Watch(self.progress.add, lambda: self._stopping.is_set())
        self._stopping, self._over = threading.Event(), threading.Event()
        self._beaten = self._asked = 0.0

    def run(self) -> None:
        """Look until the work is over."""
        while not self._over.wait(LOOK_SECONDS):
            try:
                self._look()
            except StoreError as error:
                # A busy database is no reason to end hours of work; the next look comes soon.
                print(f"pulse: {error}", file=sys.stderr)

    def end(self) -> None:
        """Stop looking; the work is over."""
        self._over.set()
        self.join()

    def _look(self) -> None:
        state = read_state(self.home, self.job.id, self.job.attempt)
        if state not in AT_WORK:
            self._leave()
            return
        now = time.monotonic()
        if state == "stopping" and not self._stopping.is_set():
            self._asked = now
            self._stopping.set()
        if self._stopping.is_set() and now - self._asked >= GRACE_SECONDS:
            self._stop_here()
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            values = self.progress.values() | {"memory": read_memory(), "heartbeat": time.time()}
            change_job(self.home, self.job.id, AT_WORK, of_attempt=self.job.attempt, **values)

    def _stop_here(self) -> None:
        """End a job that did not heed the stop; what it kept on disk so far stays."""
        end_children(psutil.Process())
        stopped = {"state": "stopped"} | self.progress.values()
        if change_job(
            self.home, self.job.id, ("stopping",), of_attempt=self.job.attempt, **stopped
        ):
            tend(self.home)
            self._exit(0)

    def _leave(self) -> None:
        """Go without a trace: the job was deleted, or another worker has it."""
        print("pulse: this job is not this worker's any more", file=sys.stderr)
        end_children(psutil.Process())
        _clean_up(self.home, self.workspace)
        self._exit(3)

    def _exit(self, code: int) -> None:
        sys.stderr.flush()
        os._exit(code)
