"""The command line: `python -m medcore COMMAND`; what the pages do, scripts can do.

Bad input ends with exit code 2 and one sentence on stderr.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medcore.arguments import build_parser
from medcore.config import Kind, RunConfig, change_config, load_config, preset_config
from medcore.errors import ConfigError, MedcoreError, StoreError

if TYPE_CHECKING:
    from medcore.data import Wishes
    from medcore.records import Dataset


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    try:
        options = build_parser(__doc__).parse_args(arguments)
        return COMMANDS[options.command](options) or 0
    except MedcoreError as error:
        print(error, file=sys.stderr)
        return 2


def _open(options: argparse.Namespace) -> Dataset:
    from medcore.data import open_dataset

    return open_dataset(options.data, wishes=_wishes(options))


def _wishes(options: argparse.Namespace) -> Wishes:
    """Return how images are read: as was asked for, and as those were that a run learned from."""
    from medcore.data import Wishes
    from medcore.store.folder import DATASET, read_reading

    run = getattr(options, "run", None)
    learned = read_reading(run) if run is not None and (run / DATASET).is_file() else ()
    return Wishes(**dict.fromkeys((*learned, *options.images), True))


def _samples(_: argparse.Namespace) -> None:
    from medcore.data import SAMPLES

    for sample in SAMPLES:
        print(f"sample:{sample.name:<14} {sample.rows:>6} rows  {sample.title}")
        print(f"{'':<29} {sample.teaches} Licence: {sample.licence}. Source: {sample.source}.")


def _check(options: argparse.Namespace) -> None:
    from medcore.checks import check_dataset, findings_json
    from medcore.data import assign_columns, join_findings

    config = _config(options)
    dataset = join_findings(assign_columns(_open(options), config), config)
    json.dump(findings_json(check_dataset(dataset)), sys.stdout, indent=2, ensure_ascii=False)
    print()


def _run(options: argparse.Namespace) -> int:
    from medcore.data import assign_columns, configure_dataset, input_kinds_of
    from medcore.jobs import start_run, tend
    from medcore.store import local_workspace, open_home, save_dataset

    config = _config(options)
    dataset = _open(options)
    config = _config(options, input_kinds_of(assign_columns(dataset, config)))
    # Refuses what cannot be trained before anything is queued.
    configure_dataset(dataset, config)
    for column in assign_columns(dataset, config).columns:
        print(f"{column.name}: {column.kind}, {column.role}", file=sys.stderr)
    home = open_home()
    workspace = local_workspace(home)
    row = save_dataset(workspace, dataset)
    tend(home)
    run, cached = start_run(workspace, row.id, config, name=options.name, again=options.again)
    if cached:
        print("Trained before with the same data and settings.", file=sys.stderr)
    else:
        _follow(workspace, run.id)
    if options.out:
        _copy_run(run.folder, options.out)
    print(options.out or run.folder)
    return 0


def _follow(workspace, run_id: str) -> None:
    """Show a run's progress until it ends; Ctrl-C stops it and keeps the best so far."""
    from medcore.jobs import job_of_run, stop_job, tend, wait

    job = job_of_run(workspace, run_id)
    try:
        while job.state in ("queued", "running", "stopping"):
            _show_progress(job.fraction, job.message or job.state)
            job = wait(workspace, job.id, timeout=0.5)
            tend(workspace.home)
    except KeyboardInterrupt:
        stop_job(workspace, job.id)
        job = wait(workspace, job.id, timeout=10)
    if job.state == "finished":
        _show_progress(1.0, "Finished")
    print(file=sys.stderr)
    if job.state == "failed":
        raise MedcoreError(job.error or "The run failed without giving a reason.")
    if job.state == "stopped":
        raise MedcoreError("The run was stopped; its best state so far is kept.")


def _show_progress(fraction: float, message: str) -> None:
    done = round(30 * fraction)
    bar = "█" * done + "·" * (30 - done)
    print(f"\r{bar} {fraction:4.0%} {message[:60]:<60}", end="", file=sys.stderr, flush=True)


def _copy_run(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The run is kept in {source}, but could not be copied to {target}: {error.strerror}."
        ) from None


def _predict(options: argparse.Namespace) -> None:
    from medcore.apply import open_run, predict_file

    match = predict_file(
        open_run(options.run), options.data, options.output, options.completed, _wishes(options)
    )
    for sentence in match.sentences:
        print(sentence, file=sys.stderr)
    print(options.output)


def _validate(options: argparse.Namespace) -> None:
    from medcore.evaluate import write_headline
    from medcore.store.folder import VALIDATION, read_columns, read_json
    from medcore.validation.work import validate_run

    answers = dict(_pair(text, "--convert") for text in options.convert)
    new = _open(options)
    evaluation = validate_run(options.run, new, answers, options.output)
    for sentence in read_json(options.output, VALIDATION)["sentences"]:
        print(sentence, file=sys.stderr)
    columns = read_columns(options.output)
    outcome = next(c for c in columns if c.role in ("outcome", "event"))
    print(write_headline(evaluation, outcome.name, outcome.unit or ""), file=sys.stderr)
    print(options.output)


def _report(options: argparse.Namespace) -> None:
    from medcore.report import write_report

    report = write_report(options.run, options.output, intended_use=options.intended_use)
    print(report.export, file=sys.stderr)
    print(f"{len(report.open)} items are left to the author.", file=sys.stderr)
    print(report.folder)


def _explain(options: argparse.Namespace) -> None:
    from medcore.explanation import read_explain_choice
    from medcore.explanation.words import write_checks, write_drivers
    from medcore.explanation.work import explain_run
    from medcore.records import Watch
    from medcore.store.folder import EXPLANATION

    choice = read_explain_choice(
        {"repeats": options.repeats, "together": options.together, "checks": not options.no_checks}
    )
    watch = Watch(lambda event: _show_progress(event.fraction, event.message))
    result = explain_run(options.run, _open(options), choice, watch)
    _show_progress(1.0, "Finished")
    print(file=sys.stderr)
    for target in result["targets"]:
        print(*write_drivers(result, target), sep="\n")
    print(*write_checks(result), sep="\n")
    print(options.run / EXPLANATION)


def _transcribe(options: argparse.Namespace) -> int:
    from medcore.jobs.speech import open_listener, transcribe_path
    from medcore.lexicon import load_lexicon
    from medcore.records import Watch
    from medcore.store import open_home, write_json

    recognizer = open_listener(options.model, open_home())
    own = _read_lines(options.words) if options.words else []
    lexicon = load_lexicon(own)
    answers = []
    for path in options.audio:
        watch = Watch(lambda event: _show_progress(event.fraction, event.message))
        answers.append(transcribe_path(path, recognizer, lexicon, options.language, watch))
        print(file=sys.stderr)
    write_json(options.output.parent, options.output.name, answers)
    failed = [answer["error"] for answer in answers if "error" in answer]
    for sentence in failed:
        print(sentence, file=sys.stderr)
    print(options.output)
    return 2 if failed else 0


def _recogniser(options: argparse.Namespace) -> None:
    from medcore.data import open_dataset
    from medcore.recogniser import read_changes, train_recogniser, write_result
    from medcore.records import Watch

    given = {"text": options.text, "speaker": options.speaker}
    choice = read_changes(dict(_pair(text, "--set") for text in options.set) | given)
    watch = Watch(lambda event: _show_progress(event.fraction, event.message))
    result = train_recogniser(open_dataset(options.data), choice, options.output, watch)
    print("", *write_result(result), sep="\n", file=sys.stderr)
    print(options.output)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a list of words: {error}.") from None


def _work(options: argparse.Namespace) -> int:
    from medcore.jobs.worker import work

    return work(options.job)


def _config(options: argparse.Namespace, kinds: Iterable[Kind] = ()) -> RunConfig:
    """Return the settings that a command's options give, for inputs of these kinds."""
    config = RunConfig()
    if options.config:
        config = load_config(_read_json(options.config))
    preset = getattr(options, "preset", None)
    if preset or not options.config:
        config = preset_config(preset or "balanced", config, kinds)
    roles = dict(_pair(text, "--role") for text in options.role)
    roles |= dict.fromkeys(options.outcome, "outcome")
    for role in ("duration", "event", "treatment"):
        if column := getattr(options, role):
            roles[column] = role
    if options.duration and "event" not in roles.values():
        raise ConfigError(
            f"--duration {options.duration} asks when something happens; say with --event which "
            "column tells whether it did."
        )
    kinds = dict(_pair(text, "--kind") for text in options.kind)
    values = config.model_dump()
    values["data"]["roles"] |= roles
    values["data"]["kinds"] |= kinds
    return change_config(load_config(values), dict(_pair(text, "--set") for text in options.set))


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.rpartition("=")
    if not sign or not name:
        raise ConfigError(f"{option} needs NAME=VALUE, not '{text}'.")
    return name, value


def _read_json(path: Path) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON settings: {error}.") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold one JSON object of settings.")
    return values


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int | None]] = {
    "samples": _samples,
    "check": _check,
    "run": _run,
    "predict": _predict,
    "validate": _validate,
    "report": _report,
    "explain": _explain,
    "transcribe": _transcribe,
    "recogniser": _recogniser,
    "work": _work,
}


if __name__ == "__main__":
    sys.exit(main())
