"""The warm worker: quick answers from another process, whatever happens to it."""

import io
import json
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from medcore.apply import open_run, predict_patient
from medcore.errors import JobError, MedcoreError
from medcore.jobs import ask, processes, warm, warm_up
from medcore.store import open_home, open_workspace
from tests.databases import wait_until
from tests.finished_runs import finish_run

LONG = 90.0
PING = {"do": "ping"}
PATIENTS = [
    {"marker": 1.2, "noise": -0.3},
    {"marker": None, "noise": 99.0},
    {},
    {"marker": "-0.4", "noise": 0, "shoe size": 44},
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A judged run, kept for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(tmp_path_factory.mktemp("warm")))
        home = open_home()
        yield finish_run(open_workspace(home, None), "multiclass"), home
        home.close()


@pytest.fixture(autouse=True)
def _cold():
    """Begin and end without a warm process."""
    warm.stop_warm()
    yield
    warm.stop_warm()


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def question(run, rows) -> dict:
    return {"do": "predict_rows", "run_folder": str(run.folder), "rows": rows}


def test_it_says_of_each_patient_what_the_model_says_here(finished):
    run, home = finished
    answer = ask(home, question(run, PATIENTS), timeout=LONG)
    deployed = open_run(run.folder)
    assert answer["rows"] == [
        json.loads(json.dumps(predict_patient(deployed, row))) for row in PATIENTS
    ]
    assert sum(answer["rows"][0]["value"]) == pytest.approx(1)
    assert ask(home, question(run, []), timeout=LONG) == {"rows": []}

    with pytest.raises(MedcoreError, match="holds no model that was judged") as error:
        ask(home, question(run, PATIENTS) | {"run_folder": str(run.folder / "no")}, timeout=LONG)
    assert str(error.value).endswith(".")
    with pytest.raises(MedcoreError, match=r"fault of its own; .*\.$"):
        ask(home, question(run, ["not a patient"]), timeout=LONG)
    with pytest.raises(MedcoreError, match=r"fault of its own; .*\.$"):
        ask(home, {"do": "dance"}, timeout=LONG)
    before = ask(home, PING, timeout=LONG)["pid"]
    assert ask(home, question(run, PATIENTS[:1]), timeout=LONG)["rows"] == answer["rows"][:1]
    assert ask(home, PING, timeout=LONG)["pid"] == before


def test_a_killed_process_is_followed_by_another(finished):
    _, home = finished
    first = ask(home, PING, timeout=LONG)["pid"]
    assert ask(home, PING, timeout=LONG)["pid"] == first != os.getpid()
    os.kill(first, signal.SIGKILL)
    second = ask(home, PING, timeout=LONG)["pid"]
    assert second != first
    warm.stop_warm()
    assert is_gone(second)


def test_many_who_ask_at_once_share_one_process_and_get_their_own_answers(finished):
    run, home = finished
    found: dict[int, float] = {}

    def one(number: int) -> None:
        rows = [{"marker": number / 3, "noise": 0.0}]
        found[number] = ask(home, question(run, rows), timeout=LONG)["rows"][0]["value"]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(-3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deployed = open_run(run.folder)
    for number, value in found.items():
        row = {"marker": number / 3, "noise": 0.0}
        assert value == predict_patient(deployed, row)["value"]
    assert len(found) == 7


def test_an_answer_that_takes_too_long_ends_in_a_sentence_and_a_fresh_process(finished):
    run, home = finished
    first = ask(home, PING, timeout=LONG)["pid"]
    with pytest.raises(JobError, match=r"longer than 0.01 seconds .*\.$"):
        ask(home, question(run, PATIENTS), timeout=0.01)
    assert is_gone(first)
    assert ask(home, PING, timeout=LONG)["pid"] != first


def test_another_home_is_answered_by_a_process_of_its_own(finished, tmp_path, monkeypatch):
    _, home = finished
    first = ask(home, PING, timeout=LONG)["pid"]
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "other"))
    other = open_home()
    second = ask(other, PING, timeout=LONG)["pid"]
    assert second != first and is_gone(first)
    assert ask(other, PING, timeout=LONG)["pid"] == second
    other.close()


@pytest.mark.parametrize("place", ["/etc", "workspaces/../..", "runs"])
def test_a_folder_outside_the_workspaces_is_refused(finished, place):
    _, home = finished
    with pytest.raises(JobError, match="not in a workspace"):
        ask(home, {"do": "predict_rows", "run_folder": str(home.folder / place), "rows": []})
    assert warm._current is None


def test_a_link_that_leads_out_of_the_workspaces_is_refused(finished, tmp_path):
    _, home = finished
    link = home.folder / "workspaces" / "link"
    link.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(JobError, match="not in a workspace"):
        ask(home, {"do": "predict_rows", "run_folder": str(link), "rows": []})
    link.unlink()


def test_warming_up_loads_in_the_background_and_complains_of_nothing(finished):
    run, home = finished
    warm_up(home, run.folder / "not there")
    warm_up(home, run.folder)
    assert wait_until(lambda: warm._current is not None, LONG)
    assert ask(home, question(run, PATIENTS[:1]), timeout=LONG)["rows"]


SERVER = """
import time
from medcore.jobs import ask
from medcore.store import open_home
print(ask(open_home(), {"do": "ping"}, timeout=90)["pid"], flush=True)
time.sleep(600)
"""


def test_it_ends_when_its_server_is_gone(finished):
    _, home = finished
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=processes.worker_environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    with server.stdout:
        pid = int(server.stdout.readline())
    server.kill()
    server.wait()
    assert wait_until(lambda: is_gone(pid), LONG)


def test_it_ends_when_nobody_asks():
    answers, (read, write) = io.StringIO(), os.pipe()
    with os.fdopen(read) as source, os.fdopen(write, "w") as asker:
        asker.write('{"do": "ping", "number": 7}\n')
        asker.flush()
        warm.serve(source, answers, idle_seconds=0.3)
        asker.close()
    assert json.loads(answers.getvalue()) == {"number": 7, "answer": {"pid": os.getpid()}}
