"""A worker whose jobs do what their payload says: `python -m tests.slow_worker JOB_ID`."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from medcore.errors import DataError, MedcoreError
from medcore.jobs import processes
from medcore.jobs.handlers import LANES
from medcore.jobs.worker import work
from medcore.records import Event
from medcore.store import database, delete_workspace, job_folder, read_job

COMMAND = ("-m", "tests.slow_worker")
STARTED = "started.txt"


def do(workspace, job, watch):
    """Note the start, and obey."""
    with (workspace.home.folder / STARTED).open("a", encoding="utf-8") as file:
        file.write(f"{job.id} {job.attempt}\n")
    folder = job_folder(workspace.home, job)
    return ORDERS[job.payload.get("do", "finish")](workspace, job, watch, folder)


def finish(workspace, job, watch, folder):
    return {"pid": os.getpid()}


def wait(workspace, job, watch, folder):
    """Wait for the file `go`, and heed a stop."""
    watch.emit(Event(time.time(), "wait", "Waiting for a word", 0.4))
    while not (folder / "go").exists():
        if watch.stopping():
            return None
        time.sleep(0.02)
    return {}


def deaf(workspace, job, watch, folder):
    """Heed nothing, with a child that lives as long as it is let."""
    watch.emit(Event(time.time(), "wait", "Not listening", 0.4))
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "child").write_text(str(child.pid))
    time.sleep(600)


def die(workspace, job, watch, folder):
    """End without a word, until the attempt named in the payload."""
    if job.attempt >= job.payload.get("until", 9):
        return {"attempt": job.attempt}
    watch.emit(Event(time.time(), "train", "epoch 3 of 9", 0.3))
    deadline = time.monotonic() + 30
    # The pulse has told what the job does before it ends.
    while not _told(workspace, job) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


def _told(workspace, job):
    return read_job(workspace.home, job.id).message == "epoch 3 of 9"


def refuse(workspace, job, watch, folder):
    raise DataError("The file is of no use; bring another.")


def fall_over(workspace, job, watch, folder):
    raise RuntimeError("patient 17 is HIV positive")


def fill_up(workspace, job, watch, folder):
    raise OSError(errno.ENOSPC, "No space left on device")


def save(workspace, job, watch, folder):
    """Keep a data set on a disk with hardly any room."""
    from pytest import MonkeyPatch

    from medcore.data import load_sample
    from medcore.store import save_dataset
    from tests.full_disk import fill_disk

    fill_disk(MonkeyPatch(), 1000)
    save_dataset(workspace, load_sample("heart_failure"))
    return {}


def eat(workspace, job, watch, folder):
    raise MemoryError


def vanish(workspace, job, watch, folder):
    """Have the workspace deleted, and write into it all the same."""
    delete_workspace(workspace)
    folder.mkdir(parents=True)
    (folder / "patients.csv").write_text("name,age\n")
    return {}


ORDERS = {
    function.__name__: function
    for function in (finish, wait, deaf, die, refuse, fall_over, fill_up, save, eat, vanish)
}


def main(identity: str) -> int:
    processes.COMMAND = COMMAND
    database.BUSY_SECONDS = float(os.environ.get("TEST_BUSY_SECONDS", database.BUSY_SECONDS))
    try:
        return work(identity, dict.fromkeys(LANES, do))
    except MedcoreError as error:
        print(error, file=sys.stderr)
        return 2


def starts(home) -> list[tuple[str, int]]:
    """Return the jobs that were started so far, each with its attempt."""
    path = Path(home.folder) / STARTED
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
