"""Background work: a queue in the database, a process for each job, nothing that needs a page.

`requests.py` is what pages and commands ask, `tending.py` keeps the queue moving, `worker.py` is
the process that works, `handlers.py` what each kind does, `warm.py` answers quick questions.
"""

from medcore.jobs.requests import (
    judge_run,
    queue_position,
    start_blanking,
    start_comparison,
    start_explanation,
    start_fetch,
    start_import,
    start_laboratory,
    start_optimism,
    start_prediction,
    start_recogniser,
    start_report,
    start_run,
    start_transcription,
    start_validation,
    stop_job,
    submit,
    wait,
)
from medcore.jobs.tending import tend
from medcore.jobs.warm import ask, warm_up
from medcore.store import Job, get_job, job_of_run, list_jobs

__all__ = [
    "Job",
    "ask",
    "get_job",
    "job_of_run",
    "judge_run",
    "list_jobs",
    "queue_position",
    "start_blanking",
    "start_comparison",
    "start_explanation",
    "start_fetch",
    "start_import",
    "start_laboratory",
    "start_optimism",
    "start_prediction",
    "start_recogniser",
    "start_report",
    "start_run",
    "start_transcription",
    "start_validation",
    "stop_job",
    "submit",
    "tend",
    "wait",
    "warm_up",
]
