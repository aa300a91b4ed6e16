"""The app in a real browser: the golden path, privacy, the way back, narrow screens.

Run with `python -m pytest -m browser -n 0`; needs Debian's `chromium`.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking",
]  # fmt: skip
PAGES = [
    "", "data", "checks", "images", "train", "results", "validate", "compare", "predict",
    "dictation", "notes", "report", "workspace",
]  # fmt: skip
TRAINED = 240_000
# Streamlit asks for its host's settings below the page's own address first, and then at the root.
EXPECTED = re.compile(r"status of 404")


def start_server(home):
    """Start the app on a free port and return its process and address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port),
         "--server.headless", "true", "--server.address", "127.0.0.1"],
        cwd=ROOT, env=os.environ | {"MEDCORE_HOME": str(home)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
            return process, address
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("The server did not start.")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process, address = start_server(tmp_path_factory.mktemp("server"))
    yield address
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Open pages as separate visitors; afterwards no console may hold an error."""
    contexts, errors = [], []

    def open_visitor(width=1280, height=1000, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: note(said, errors))
        page.on("request", lambda request: hold_local(request, errors))
        return page

    yield open_visitor
    for context in contexts:
        context.close()
    assert errors == []


def note(said, errors):
    if said.type == "error" and not EXPECTED.search(said.text):
        errors.append(said.text)


def hold_local(request, errors):
    parts = urlsplit(request.url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
        errors.append(f"asks {parts.hostname}")


def click(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def address_of(page):
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


@pytest.fixture(scope="module")
def trained(chromium, server):
    """The three clicks, once; the address of the results they end at."""
    page = chromium.new_context().new_page()
    page.goto(server)
    click(page, "Heart disease, 920 patients")
    page.get_by_text("What each column is").wait_for(timeout=60_000)
    click(page, "Train a model")
    page.get_by_text("judged on whom").wait_for(timeout=60_000)
    click(page, "Train")
    # Which step is on the screen hangs on the machine; an epoch may pass between two looks.
    page.get_by_text(re.compile("Starting|Fitting|epoch")).first.wait_for(timeout=TRAINED)
    page.get_by_text("Beside simple models").wait_for(timeout=TRAINED)
    address = page.url
    page.context.close()
    return address


def with_page(address, page):
    return urlsplit(address)._replace(path=f"/{page}").geturl()


def test_three_clicks_end_at_results_that_say_it_in_words(trained, visit):
    page = visit()
    page.goto(trained)
    expect(page.get_by_text(re.compile(r"Of 100 patients with disease = yes"))).to_be_visible()
    for label in ("Recall (sensitivity)", "Accuracy", "F1"):
        expect(page.get_by_test_id("stMetricLabel").filter(has_text=label).first).to_be_visible()
    page.get_by_test_id("stDataFrame").first.wait_for()
    for name in ("Prevalence only", "Logistic regression", "Random forest", "Gradient boosting"):
        assert page.get_by_text(name).count() or page.get_by_test_id("stDataFrame").count()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_text("Research use. Not a medical device.")).to_be_visible()


def test_a_patient_with_unknown_values_gets_a_risk_and_a_warning(trained, visit):
    page = visit()
    page.goto(with_page(trained, "predict"))
    page.get_by_label("age (years)", exact=True).fill("140")
    click(page, "Predict")
    expect(page.get_by_text(re.compile(r"Risk of disease = yes: \d+%"))).to_be_visible()
    expect(page.get_by_text(re.compile("lies outside what training"))).to_be_visible()
    expect(page.get_by_text(re.compile("12 values were unknown"))).to_be_visible()


def test_a_file_comes_back_with_predictions(trained, visit, tmp_path):
    page = visit()
    page.goto(with_page(trained, "predict"))
    page.get_by_role("tab", name="A file of patients").click()
    new = pd.DataFrame({"note": ["a", "b", "c"], "age": [40, None, 70], "sex": ["male"] * 3})
    new.to_csv(tmp_path / "new.csv", index=False)
    page.locator("input[type=file]").set_input_files(tmp_path / "new.csv")
    click(page, "Predict the file")
    page.get_by_text("Not used by the model: note.").wait_for()
    with page.expect_download() as download:
        click(page, "Download the predictions")
    out = pd.read_csv(download.value.path())
    assert out["note"].tolist() == ["a", "b", "c"]
    assert out[["probability_no", "probability_yes"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_reload_back_and_a_bookmark_lead_to_the_same_place(trained, visit, server):
    page = visit()
    page.goto(trained)
    wanted = address_of(page)
    page.get_by_text("Beside simple models").wait_for()
    page.reload()
    page.get_by_text("Beside simple models").wait_for()
    page.get_by_role("link", name="Checks").click()
    page.get_by_text("Nothing is changed unless you agree").wait_for()
    expect(page).to_have_url(re.compile("workspace="))
    assert address_of(page) == wanted
    page.go_back()
    page.get_by_text("Beside simple models").wait_for()
    assert address_of(page) == wanted
    elsewhere = visit()
    elsewhere.goto(f"{server}/workspace?workspace={wanted['workspace']}")
    elsewhere.get_by_text("Recommended on Heart disease, 920 patients").first.wait_for()


def test_two_visitors_never_see_each_other(trained, visit, server):
    theirs = address_of(visit_once(visit, trained))
    stranger = visit()
    stranger.goto(server)
    stranger.get_by_text("Start with real patients").wait_for()
    expect(stranger).to_have_url(re.compile("workspace="))
    own = address_of(stranger)["workspace"]
    assert own != theirs["workspace"]
    assert stranger.get_by_text("Go on where you were").count() == 0
    for name in PAGES[1:]:
        stranger.goto(
            f"{server}/{name}?workspace={own}&dataset={theirs['dataset']}&run={theirs['run']}"
        )
        stranger.get_by_role("heading").first.wait_for()
        settle(stranger)
        assert "Recommended on" not in stranger.inner_text("body")
        assert "920 rows" not in stranger.inner_text("body")
        assert "run" not in address_of(stranger)
    # The same data and settings: what the other one trained must not be offered.
    stranger.goto(f"{server}/?workspace={own}")
    click(stranger, "Heart disease, 920 patients")
    stranger.get_by_text("What each column is").wait_for()
    click(stranger, "Train a model")
    stranger.get_by_text("judged on whom").wait_for()
    click(stranger, "Train")
    stranger.get_by_role("button", name="Stop").first.wait_for()
    assert stranger.get_by_text("You trained this before").count() == 0
    stranger.locator(".st-key-stop_run button").first.click()
    stranger.get_by_text("was stopped").wait_for()


def visit_once(visit, address):
    page = visit()
    page.goto(address)
    page.get_by_text("Beside simple models").wait_for()
    return page


def settle(page):
    """Wait until the script of the page has ended."""
    page.wait_for_timeout(300)
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_is_wider_than_the_screen(trained, visit, width, scheme):
    page = visit(width=width, color_scheme=scheme)
    for name in PAGES:
        page.goto(with_page(trained, name))
        page.get_by_role("heading").first.wait_for()
        settle(page)
        wide = page.evaluate(
            "Math.max(document.documentElement.scrollWidth, "
            "document.querySelector('[data-testid=stMain]').scrollWidth)"
        )
        assert wide <= width, name
        assert page.get_by_test_id("stException").count() == 0


def test_the_very_first_visit_of_a_server_may_be_a_bookmark(visit, tmp_path):
    process, address = start_server(tmp_path)
    try:
        page = visit()
        page.goto(f"{address}/train")
        page.get_by_text("No data set is in use yet").wait_for()
        expect(page).to_have_url(re.compile("workspace="))
        page.context.close()
    finally:
        process.terminate()
        process.wait(20)


def test_uploads_are_read_and_what_cannot_be_says_why(visit, server, tmp_path):
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "rubbish.csv").write_bytes(bytes(range(256)) * 20)
    rows = [f"{age};{age / 40:.1f}".replace(".", ",") for age in range(30, 80)]
    words = [f"{row};{'ja' if place % 3 else 'nein'}" for place, row in enumerate(rows)]
    (tmp_path / "gut.csv").write_text("\n".join(["Alter;Wert;krank", *words]))
    page = visit()
    page.goto(f"{server}/data")
    page.locator("input[type=file]").set_input_files(sorted(tmp_path.glob("*.csv")))
    click(page, "Read them")
    page.get_by_text("50 rows, 3 columns").wait_for()
    page.get_by_text("'empty.csv' is empty").wait_for()
    page.get_by_text("'rubbish.csv' is not a text table").wait_for()
    expect(page.get_by_text("Likely ones: krank")).to_be_visible()


def test_a_workspace_is_taken_along_renamed_and_deleted(trained, visit, server, tmp_path):
    page = visit()
    page.goto(with_page(trained, "workspace"))
    with page.expect_download() as download:
        click(page, "Export")
    file = tmp_path / "workspace.zip"
    download.value.save_as(file)
    other = visit()
    other.goto(f"{server}/workspace")
    other.get_by_text("No model yet.").wait_for()
    other.locator("input[type=file]").set_input_files(file)
    click(other, "Import")
    other.get_by_text("Recommended on Heart disease").first.wait_for()
    click(other, "Rename")
    other.get_by_label("Name", exact=True).fill("Ward seven")
    click(other, "Save")
    other.get_by_text("Ward seven").first.wait_for()
    other.locator("[class*=st-key-open_] button").first.click()
    other.get_by_text("Beside simple models").wait_for()
    other.get_by_role("link", name="Workspace").click()
    click(other, "Delete this workspace")
    old = address_of(other)["workspace"]
    click(other, "Delete everything")
    expect(other).not_to_have_url(re.compile(old))
    gone = visit()
    gone.goto(f"{server}/?workspace={old}")
    gone.get_by_text("does not exist any more").wait_for()
    page.reload()
    page.get_by_text("Recommended on Heart disease").first.wait_for()


def test_a_training_whose_workspace_is_deleted_in_another_tab_ends_in_a_sentence(visit, server):
    watching = visit()
    watching.goto(server)
    click(watching, "Heart disease, 920 patients")
    watching.get_by_text("What each column is").wait_for()
    click(watching, "Train a model")
    watching.get_by_text("judged on whom").wait_for()
    click(watching, "Train")
    watching.locator(".st-key-stop_run button").first.wait_for()
    other = watching.context.new_page()
    other.goto(with_page(watching.url, "workspace"))
    click(other, "Delete this workspace")
    click(other, "Delete everything")
    watching.get_by_text("does not exist any more").wait_for()
    assert watching.get_by_test_id("stException").count() == 0


def test_the_threshold_answers_at_once(trained, visit):
    page = visit()
    page.goto(trained)
    page.get_by_text("At which threshold?", exact=True).click()
    slider = page.get_by_role("slider").first
    slider.wait_for()
    settle(page)
    # While the page is drawn anew the old sentence may stand beside the new one for a moment.
    sentence = page.get_by_text(re.compile("test patients alarm")).first
    before = sentence.inner_text()
    slider.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    expect(sentence).not_to_have_text(before)
    page.get_by_role("button", name=re.compile("Back to")).click()
    expect(sentence).to_have_text(before)
