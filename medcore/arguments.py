"""The words of the command line: which commands there are, and what may be said with each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from medcore.config import PRESETS
from medcore.errors import ConfigError

WISHES = ("series", "characteristics", "folders")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[0].upper()}{message[1:]}; see 'python -m medcore --help'.")


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser; `command` of what it parses is the command's name."""
    parser = _Parser(prog="python -m medcore", description=description)
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=_Parser
    )
    commands.add_parser("samples", help="list the data sets that ship with medcore")
    _add_training(commands)
    _add_using(commands)
    _add_telling(commands)
    _add_speech(commands)
    work = commands.add_parser("work", help="carry out one queued job (what a worker runs)")
    work.add_argument("job", metavar="JOB_ID")
    return parser


def _add_training(commands: Any) -> None:
    """Add the commands that look at data and learn from it."""
    check = commands.add_parser("check", help="print the findings about a data set as JSON")
    _add_data_options(check)

    run = commands.add_parser("run", help="train and judge a model; prints the run's folder")
    _add_data_options(run)
    run.add_argument("--preset", choices=sorted(PRESETS), help="settings to start from")
    run.add_argument("--name", default="", help="the run's name in lists")
    run.add_argument("--again", action="store_true", help="train even if this run was done before")
    run.add_argument("--out", type=Path, metavar="DIR", help="also copy the run's folder here")


def _add_using(commands: Any) -> None:
    """Add the commands that apply a run's model to new patients."""
    predict = commands.add_parser("predict", help="apply a run's model to new patients")
    predict.add_argument("run", type=Path, metavar="RUN_DIR")
    predict.add_argument("data", metavar="NEW_DATA")
    predict.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.csv")
    predict.add_argument(
        "--completed", type=Path, metavar="FILE.csv",
        help="also write the inputs as the model took them, with what was filled in named",
    )  # fmt: skip
    _add_image_options(predict)

    validate = commands.add_parser("validate", help="judge a run on patients from elsewhere")
    validate.add_argument("run", type=Path, metavar="RUN_DIR")
    validate.add_argument("data", metavar="NEW_DATA", help="with the outcome's column")
    validate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    validate.add_argument("--convert", action="append", default=[], metavar="COLUMN=ANSWER",
                          help="a conversion that was asked about, or keep")  # fmt: skip
    _add_image_options(validate)


def _add_telling(commands: Any) -> None:
    """Add the commands that tell of a finished run."""
    report = commands.add_parser("report", help="write a run's report, checklists and exports")
    report.add_argument("run", type=Path, metavar="RUN_DIR")
    report.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    report.add_argument("--intended-use", metavar="TEXT", help="what the model is meant for")

    explain = commands.add_parser("explain", help="find out what drives a run's model")
    explain.add_argument("run", type=Path, metavar="RUN_DIR")
    explain.add_argument("data", metavar="DATA", help="the table the run was trained on")
    explain.add_argument("--repeats", type=int, default=5, help="shuffles of each column")
    explain.add_argument(
        "--together", type=float, default=0.7, metavar="0.1–1",
        help="association from which columns are shuffled together",
    )  # fmt: skip
    explain.add_argument("--no-checks", action="store_true", help="train no model to check with")
    _add_image_options(explain)


def _add_speech(commands: Any) -> None:
    """Add the commands that turn speech into text."""
    speech = commands.add_parser("transcribe", help="turn recordings into text, as JSON")
    speech.add_argument("audio", type=Path, nargs="+", metavar="AUDIO")
    speech.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    speech.add_argument("--model", default="", help="a folder with a speech model, or a hub name")
    speech.add_argument("--language", metavar="CODE", help="en, de, …; else the model finds out")
    speech.add_argument("--words", type=Path, metavar="FILE.txt", help="terms of your own, by line")

    own = commands.add_parser("recogniser", help="train a speech recogniser of your own")
    own.add_argument("data", metavar="DATA", help="recordings with a table of what was said")
    own.add_argument("--text", metavar="COLUMN", required=True, help="what was said")
    own.add_argument("--speaker", metavar="COLUMN", default="", help="who spoke")
    own.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    own.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="a file, a folder of images, or sample:NAME")
    parser.add_argument("--outcome", metavar="COLUMN", action="append", default=[],
                        help="given several times: several findings at once")  # fmt: skip
    parser.add_argument("--duration", metavar="COLUMN", help="time to event: how long followed")
    parser.add_argument("--event", metavar="COLUMN", help="time to event: how that ended")
    parser.add_argument("--treatment", metavar="COLUMN", help="its effect on the outcome is asked")
    parser.add_argument("--role", action="append", default=[], metavar="COLUMN=ROLE")
    parser.add_argument("--kind", action="append", default=[], metavar="COLUMN=KIND")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as JSON")
    _add_image_options(parser)


def _add_image_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", action="append", default=[], choices=WISHES,
        help="how DICOM is read, repeatable: series (a row a series, not an image), "
        "characteristics (sex, age, height and weight are kept), folders (their names are classes)",
    )  # fmt: skip
