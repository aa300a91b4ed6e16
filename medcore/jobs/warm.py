"""The warm worker: one process that has a model loaded and answers a page's quick questions.

It starts on first need, so that the server never loads a model itself, and ends when nobody asks
for a while or its server is gone. Questions and answers are JSON lines over its pipes.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from medcore.errors import JobError, MedcoreError
from medcore.jobs.processes import ROOT, worker_environment
from medcore.store import Home, get_workspace, load_dataset, open_home
from medcore.store.files import plain
from medcore.store.folder import MODEL, NEEDS

IDLE_SECONDS = 300.0
MODELS_KEPT, COHORTS_KEPT = 4, 2


def ask(home: Home, request: dict[str, Any], timeout: float = 60) -> dict[str, Any]:
    """Return the warm worker's answer to a request; safe to call from several threads.

    `{"do": "predict_rows", "run_folder": path, "rows": [{column: value or None}, …]}` answers
    `{"rows": [...]}`, each as of `medcore.apply.predict_patient`; `{"do": "answer_patients"}` with
    the same answers as of `medcore.apply.answer_patients`. `{"do": "describe_numbers",
    "run_folder": path}` answers `{"numbers": …}`, as of `medcore.apply.describe_numbers`.
    `{"do": "explain_patient", "run_folder": path, "workspace": id, "dataset": id, "values":
    {column: value or None}}` answers as `medcore.explanation.patient.explain_patient`;
    `explain_image`, `explain_note`, `similar_images` and `unusual_images` as the functions of
    `medcore.explanation` of that kind, `predict_course` and `explain_course` as those of `.course`.
    `{"do": "ping"}` answers `{"pid": …}`. Raises `MedcoreError` with the sentence of what went
    wrong, `JobError` when the worker crashed or took longer than `timeout` seconds; the next
    request starts a fresh one.
    """
    _check_folder(home, request)
    try:
        return _warm_process(home).ask(request, timeout)
    except _GoneError:
        # It was idle for long and ended as it was asked, or another's request brought it down.
        pass
    try:
        return _warm_process(home).ask(request, timeout)
    except _GoneError:
        raise JobError(
            "The process that computes predictions ended unexpectedly, perhaps because memory ran "
            "out; try again."
        ) from None


def warm_up(home: Home, run_folder: Path) -> None:
    """Have a run's model loaded before the first question comes; returns at once."""

    def load() -> None:
        with contextlib.suppress(MedcoreError):
            ask(home, {"do": "predict_rows", "run_folder": str(run_folder), "rows": []})

    threading.Thread(target=load, name="warm up", daemon=True).start()


def stop_warm() -> None:
    """End the warm worker, if there is one; the next request starts another."""
    global _current
    with _lock:
        if _current is not None:
            _current.end()
            _current = None


def _check_folder(home: Home, request: Mapping[str, Any]) -> None:
    if "run_folder" not in request:
        return
    folder = Path(request["run_folder"]).resolve()
    if not folder.is_relative_to((home.folder / "workspaces").resolve()):
        raise JobError("This run is not in a workspace of this server.")


class _GoneError(Exception):
    """The process ended without an answer."""


class _Warm:
    """The server's end of the pipes."""

    def __init__(self, home: Home) -> None:
        self.home = home.folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "medcore.jobs.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=worker_environment(home),
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="warm", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self._reader.is_alive() and self.process.poll() is None

    def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = future
            line = json.dumps(plain({**request, "number": number}), allow_nan=False)
            try:
                assert self.process.stdin is not None
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
            except (OSError, ValueError):
                self._waiting.pop(number, None)
                raise _GoneError from None
        try:
            answer = future.result(timeout)
        except TooLate:
            self.end()
            raise JobError(
                f"The prediction took longer than {timeout:g} seconds and was ended; try again, "
                "or apply the model to a file."
            ) from None
        if "error" in answer:
            raise MedcoreError(answer["error"])
        return answer["answer"]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                answer = json.loads(line)
                with self._lock:
                    future = self._waiting.pop(answer["number"], None)
                if future is not None:
                    future.set_result(answer)
        with self._lock:
            for future in self._waiting.values():
                future.set_exception(_GoneError())
            self._waiting.clear()


_current: _Warm | None = None
_lock = threading.Lock()
atexit.register(stop_warm)


def _warm_process(home: Home) -> _Warm:
    global _current
    with _lock:
        if _current is None or not _current.alive or _current.home != home.folder:
            if _current is not None:
                _current.end()
            _current = _Warm(home)
        return _current


def serve(source: IO[str], target: IO[str], idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer requests, one a line, until nobody asks for `idle_seconds` or the asker is gone."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in source:
            lines.put(line)
        lines.put("")

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(queue.Empty):
        while line := lines.get(timeout=idle_seconds):
            request = json.loads(line)
            answer = _answer(request) | {"number": request["number"]}
            target.write(json.dumps(answer, allow_nan=False) + "\n")
            target.flush()


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"answer": plain(ANSWERS[request["do"]](request))}
    except MedcoreError as error:
        return {"error": str(error)}
    except Exception:
        # One request must not take the others' answers with it.
        traceback.print_exc()
        return {
            "error": "The prediction could not be computed, because the program met a fault of its "
            "own; apply the model to a file instead."
        }


def _ping(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"pid": os.getpid()}


def _predict_rows(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.apply import predict_patient

    folder = Path(request["run_folder"])
    deployed = _open_run(folder, _stamp(folder))
    return {"rows": [predict_patient(deployed, row) for row in request["rows"]]}


def _answer_patients(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.apply import answer_patients

    folder = Path(request["run_folder"])
    return answer_patients(_open_run(folder, _stamp(folder)), request["rows"])


def _describe_numbers(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.apply import describe_numbers

    folder = Path(request["run_folder"])
    return {"numbers": describe_numbers(_open_run(folder, _stamp(folder)))}


def _explain_patient(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.patient import explain_patient

    folder = Path(request["run_folder"])
    place = request["workspace"], request["dataset"]
    return explain_patient(_open_cohort(folder, *place, _stamp(folder)), request["values"])


def _subject(request: Mapping[str, Any]) -> Any:
    folder = Path(request["run_folder"])
    return _open_cohort(folder, request["workspace"], request["dataset"], _stamp(folder)).subject


def _explain_image(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.images import explain_image

    asked = (request["row"], request["column"], request["target"], request["method"])
    return explain_image(_subject(request), *asked, request.get("slice"))


def _explain_note(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.notes import explain_note

    return explain_note(_subject(request), request["row"], request["column"], request["target"])


def _similar_images(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.likeness import find_similar

    asked = {"row": request.get("row"), "vector": request.get("vector")}
    folder = Path(request["run_folder"])
    return find_similar(_subject(request), folder, request["column"], **asked)


def _unusual_images(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.likeness import find_unusual

    return find_unusual(_subject(request), request["column"])


def _explain_sound(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.sounds import explain_sound

    return explain_sound(_subject(request), request["row"], request["column"], request["target"])


def _predict_course(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.course import predict_course

    folder = Path(request["run_folder"])
    deployed = _open_run(folder, _stamp(folder))
    return predict_course(deployed, request["values"], request["visits"])


def _explain_course(request: Mapping[str, Any]) -> dict[str, Any]:
    from medcore.explanation.course import explain_course

    return explain_course(_subject(request), request["row"], request["target"])


def _stamp(folder: Path) -> tuple[int, ...]:
    files = (folder / name for name in (MODEL, NEEDS))
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


@lru_cache(MODELS_KEPT)
def _open_run(folder: Path, _stamp: tuple[int, ...]) -> Any:
    """Load a model, unless it is loaded; `_stamp` changes with the model and its thresholds."""
    from medcore.apply import open_run

    return open_run(folder)


@lru_cache(COHORTS_KEPT)
def _open_cohort(folder: Path, workspace: str, dataset: str, _stamp: tuple[int, ...]) -> Any:
    """Load a model with the table it was trained on, unless they are loaded."""
    from medcore.explanation.patient import Cohort
    from medcore.explanation.subject import open_subject

    table = load_dataset(get_workspace(open_home(), workspace), dataset)
    return Cohort(open_subject(folder, table))


ANSWERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "ping": _ping,
    "predict_rows": _predict_rows,
    "answer_patients": _answer_patients,
    "describe_numbers": _describe_numbers,
    "explain_patient": _explain_patient,
    "explain_image": _explain_image,
    "explain_note": _explain_note,
    "predict_course": _predict_course,
    "explain_course": _explain_course,
    "similar_images": _similar_images,
    "unusual_images": _unusual_images,
    "explain_sound": _explain_sound,
}


def main() -> None:
    """Serve the process that started this one; whatever else prints goes to stderr."""
    answers, sys.stdout = sys.stdout, sys.stderr
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
