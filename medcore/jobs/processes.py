"""Worker processes: how one is started, known again, and ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from medcore.errors import StoreError
from medcore.store import Home, Job, job_folder
from medcore.store.home import disk_error

ROOT = Path(__file__).parents[2]
LOG = "worker.log"
COMMAND = ("-m", "medcore", "work")
# Start times of one process differ by less than this, however they are asked for.
SAME_START = 2.0

_children: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
_lock = threading.Lock()


def this_host() -> str:
    """Return the name under which this machine's processes are known in the database."""
    return socket.gethostname()


def this_process() -> tuple[int, float]:
    """Return this process's number and start time, which together no other process has."""
    return os.getpid(), psutil.Process().create_time()


def is_same_process(pid: int, started: float) -> bool:
    """Tell whether the process that had this number and start time still lives."""
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and abs(process.create_time() - started) < SAME_START
    except psutil.NoSuchProcess:
        return False


def start_worker(home: Home, job: Job) -> None:
    """Start `python -m medcore work JOB_ID` in a session of its own; its output goes to its log."""
    folder = job_folder(home, job)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *COMMAND, job.id],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=worker_environment(home),
                start_new_session=True,
            )
    except OSError as error:
        raise disk_error(error, folder / LOG) from None
    with _lock:
        _children[job.id, job.attempt] = process


def worker_environment(home: Home) -> dict[str, str]:
    """Return the environment in which a worker finds this program and this home."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "MEDCORE_HOME": str(home.folder.absolute())}


def ended_children() -> dict[tuple[str, int], int]:
    """Return the exit codes of workers that this process started and that ended since.

    They are keyed by job and attempt: another process may have started the job again meanwhile.
    """
    with _lock:
        codes = {key: process.poll() for key, process in _children.items()}
        ended = {key: code for key, code in codes.items() if code is not None}
        for key in ended:
            del _children[key]
    return ended


def end_process(pid: int, started: float) -> None:
    """Kill a process and all that it started, if it is still the same one."""
    if not is_same_process(pid, started):
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        end_children(process)
        process.kill()


def end_orphans(pid: int, started: float) -> None:
    """Kill what a dead worker started and left behind; they are known by its session."""
    if psutil.pid_exists(pid) and not _is_zombie(pid):
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            if os.getsid(process.pid) == pid and process.create_time() > started - SAME_START:
                process.kill()


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return False


def end_children(process: psutil.Process) -> None:
    """Kill all that a process started, and what those started."""
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def read_memory() -> dict[str, int]:
    """Return what this process holds, what is left, and all there is, in bytes.

    The limit of a container counts, where there is one.
    """
    whole = psutil.virtual_memory()
    total, available = whole.total, whole.available
    for limit, used in _CONTAINER:
        with contextlib.suppress(OSError, ValueError):
            allowed = int(limit.read_text())
            if allowed < total:
                total, available = allowed, min(available, allowed - int(used.read_text()))
    own = psutil.Process().memory_info().rss
    return {"own": own, "available": max(0, available), "total": total}


_GROUPS = Path("/sys/fs/cgroup")
_CONTAINER = (
    (_GROUPS / "memory.max", _GROUPS / "memory.current"),
    (_GROUPS / "memory/memory.limit_in_bytes", _GROUPS / "memory/memory.usage_in_bytes"),
)


def slots() -> int:
    """Return how many long jobs may be at work on this machine (`MEDCORE_SLOTS`)."""
    text = os.environ.get("MEDCORE_SLOTS", "")
    if not text:
        return max(1, (os.cpu_count() or 1) // 4)
    if not text.isdigit() or int(text) < 1:
        raise StoreError(f"MEDCORE_SLOTS must be a whole number from 1 on, not '{text}'.")
    return int(text)
