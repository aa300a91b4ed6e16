"""Encoders of courses, what simple models see of them, and one patient's course explained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medcore.config import RunConfig, SeriesConfig, change_config
from medcore.data import configure_dataset
from medcore.data.course import Window, write_window
from medcore.data.progression import progression_dataset
from medcore.errors import FitError
from medcore.evaluate.ranking import compare_areas
from medcore.models.series import SERIES_ENCODERS
from medcore.models.series.moments import LEAD, split_moments, time_since_known
from medcore.predict import predict_member
from medcore.prepare import fit_preparation, last_features, prepare_rows
from medcore.prepare.summary import SUMMARY, summarise_windows
from medcore.prepare.windows import Windows
from medcore.recipes.units import fit_unit
from medcore.train import predict_network
from medcore.train.balance import balance_rows
from medcore.train.series import change_series
from tests.prepared_rows import fit

CLASSES, CHANNELS, STEPS = ("no", "yes"), 3, 7
NAMES = sorted(SERIES_ENCODERS)


def moments(rows=5, seed=0, steps=STEPS, channels=CHANNELS):
    """Return random courses of different lengths, as an encoder gets them."""
    rng = np.random.default_rng(seed)
    out = np.zeros((rows, steps, LEAD + 2 * channels), np.float32)
    for row in range(rows):
        count = 1 + (row % steps)
        known = rng.random((count, channels)) < 0.6
        out[row, :count, 0] = 1
        out[row, :count, 1] = -np.sort(rng.gamma(2, 2, count))[::-1]
        out[row, :count, LEAD : LEAD + channels] = known * rng.normal(size=(count, channels))
        out[row, :count, LEAD + channels :] = known
    return torch.from_numpy(out)


def build(name, steps=STEPS, channels=CHANNELS, width=8):
    torch.manual_seed(0)
    spec = {"shape": [steps, LEAD + 2 * channels], "settings": {"width": width}}
    return SERIES_ENCODERS[name](spec).eval()


def gru_d_row_by_row(model, course):
    """Return GRU-D's state as its paper writes it: one row, one visit, one channel at a time."""
    weights = {key: value.detach().double() for key, value in model.state_dict().items()}
    channels, width = weights["input_decay"].shape[1], model.width
    state = torch.zeros(width, dtype=torch.float64)
    last, seen = torch.zeros(channels, dtype=torch.float64), [None] * channels
    count, start = int(course[:, 0].sum()), float(course[0, 1])

    def decayed(since):
        pressed = weights["state_decay.weight"] @ since + weights["state_decay.bias"]
        return torch.exp(-torch.clamp(pressed, min=0))

    for step in range(count):
        time = float(course[step, 1])
        value = course[step, LEAD : LEAD + channels].double()
        mask = course[step, LEAD + channels :].double()
        since = torch.tensor(
            [time - (start if at is None else at) for at in seen], dtype=torch.float64
        )
        left = torch.exp(
            -torch.clamp(weights["input_decay"][0] * since + weights["input_decay"][1], min=0)
        )
        filled = mask * value + (1 - mask) * left * last
        state = decayed(since) * state
        told = torch.cat([filled, mask])
        gates = weights["gates.weight"] @ told + weights["gates.bias"]
        remembered = weights["memory.weight"] @ state
        update = torch.sigmoid(gates[:width] + remembered[:width])
        reset = torch.sigmoid(gates[width : 2 * width] + remembered[width:])
        fresh = torch.tanh(gates[2 * width :] + weights["candidate.weight"] @ (reset * state))
        state = (1 - update) * state + update * fresh
        for channel in range(channels):
            if mask[channel]:
                last[channel], seen[channel] = value[channel], time
    final = torch.full((channels,), -time, dtype=torch.float64)
    return decayed(final) * state


def test_gru_d_equals_its_equations_written_out_visit_by_visit():
    model = build("gru_d")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.4)
        courses = moments(rows=9)
        found = model(courses).double()
    for row, course in enumerate(courses):
        assert torch.allclose(found[row], gru_d_row_by_row(model, course), atol=1e-5)


def test_the_time_since_a_value_was_last_known_is_counted_per_channel():
    course = torch.zeros(1, 4, LEAD + 2)
    course[0, :, 0] = 1
    course[0, :, 1] = torch.tensor([-9.0, -6.0, -2.0, 0.0])
    course[0, 1, 2:] = torch.tensor([5.0, 1.0])
    since, last = time_since_known(split_moments(course))
    assert since[0, :, 0].tolist() == [0.0, 3.0, 4.0, 6.0]
    assert last[0, :, 0].tolist() == [0.0, 0.0, 5.0, 5.0]


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_after_the_last_visit_is_not_looked_at(name):
    model, courses = build(name), moments(rows=7)
    padded = torch.cat([courses, torch.zeros(7, 3, courses.shape[2])], dim=1)
    spoiled = padded.clone()
    spoiled[:, :, 1:][padded[:, :, 0] == 0] = 77.0
    with torch.no_grad():
        said, again = model(padded), model(spoiled)
    assert torch.allclose(said, again, atol=1e-6)
    assert said.shape == (7, model.width)


@pytest.mark.parametrize("name", NAMES)
def test_order_time_and_gaps_reach_the_encoder(name):
    model, course = build(name), moments(rows=STEPS)[-1:]
    later = course.clone()
    later[..., 1] *= 3
    unmeasured = course.clone()
    unmeasured[..., LEAD + CHANNELS :] = 0
    with torch.no_grad():
        said = model(course)
        assert not torch.allclose(said, model(later), atol=1e-5)
        assert not torch.allclose(said, model(unmeasured), atol=1e-5)


def test_the_convolution_is_causal():
    model, course = build("tcn", steps=32), moments(rows=32, steps=32)[-1:]
    changed = course.clone()
    changed[:, 20:, LEAD:] += 1.0
    halves = [one.clone() for one in (course, changed)]
    for half in halves:
        half[:, 20:] = 0
    with torch.no_grad():
        assert torch.equal(*(model(half) for half in halves))
        assert not torch.equal(model(course), model(changed))


def test_visits_left_out_move_the_others_up_and_the_last_one_stays():
    torch.manual_seed(1)
    courses = moments(rows=40)
    changed = change_series(courses, SeriesConfig(drop=0.5, noise=0.0))
    for before, after in zip(courses, changed, strict=True):
        count, kept = int(before[:, 0].sum()), int(after[:, 0].sum())
        assert 1 <= kept <= count
        assert torch.equal(after[kept - 1], before[count - 1])
        rows = {tuple(moment.tolist()) for moment in before[:count]}
        assert all(tuple(moment.tolist()) in rows for moment in after[:kept])
        assert not after[kept:].any()
    assert changed[..., 0].sum() < courses[..., 0].sum()


def test_noise_touches_only_what_was_measured():
    torch.manual_seed(0)
    courses = moments(rows=20)
    noisy = change_series(courses, SeriesConfig(drop=0.0, noise=0.5))
    moved = noisy != courses
    known = courses[..., LEAD + CHANNELS :] > 0
    assert torch.equal(moved[..., LEAD : LEAD + CHANNELS], known)
    assert not moved[..., :LEAD].any() and not moved[..., LEAD + CHANNELS :].any()


def test_the_summary_of_a_course_equals_one_by_hand():
    values = np.array([[1.0], [np.nan], [3.0], [2.0]], np.float32)
    time = np.array([0.0, 1.0, 2.0, 6.0])
    one = np.array([0])
    windows = Windows(values, time, one, np.array([4]), np.array([7.0]), 6, 1.0)
    said = dict(zip((*SUMMARY, "visits", "since first", "since end"), summarise_windows(windows)[0],
                    strict=True))  # fmt: skip
    slope = np.polyfit([0, 2, 6], [1, 3, 2], 1)[0]
    assert said["last"] == 2.0 and said["mean"] == 2.0
    assert (said["lowest"], said["highest"], said["times measured"]) == (1.0, 3.0, 3.0)
    assert said["slope"] == pytest.approx(slope)
    assert said["time since measured"] == 1.0
    assert (said["visits"], said["since first"]) == (4.0, 7.0)


def test_windows_cut_out_what_a_loop_would():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 2)).astype(np.float32)
    values[rng.random(values.shape) < 0.4] = np.nan
    time = np.sort(rng.random(50) * 100)
    start = rng.integers(0, 40, 20)
    stop = start + rng.integers(1, 10, 20)
    windows = Windows(values, time, start, stop, time[stop - 1], 4, 10.0)
    cut = windows[np.arange(20)]
    for item in range(20):
        visits = range(max(start[item], stop[item] - 4), stop[item])
        for step, visit in enumerate(visits):
            assert cut[item, step, 0] == 1
            assert cut[item, step, 1] == np.float32((time[visit] - time[stop[item] - 1]) / 10)
            known = ~np.isnan(values[visit])
            assert np.array_equal(cut[item, step, 4:], known)
            assert np.array_equal(cut[item, step, 2:4], np.where(known, values[visit], 0))
        assert not cut[item, len(visits) :].any()


def small_config(**changes):
    values = {"train.epochs": 2, "train.batch_size": 32, "model.width": 16, "series.width": 8}
    return change_config(RunConfig(), values | changes)


@pytest.fixture(scope="module")
def courses():
    """A small synthetic cohort, folded and prepared."""
    dataset = configure_dataset(progression_dataset(120, seed=1), small_config())
    rows = dataset.frame.index.to_numpy()
    preparation = fit_preparation(dataset, rows[:80], small_config(), CLASSES)
    return dataset, preparation, rows


@pytest.mark.parametrize("name", NAMES)
def test_a_patients_answer_does_not_depend_on_who_else_is_asked(courses, name):
    dataset, preparation, rows = courses
    train, held = (prepare_rows(preparation, dataset, part) for part in (rows[:80], rows[80:]))
    _, network = fit(train, held, small_config(), name=name)
    whole = predict_network(network, held)
    order = np.random.default_rng(0).permutation(len(held.row_id))
    assert np.array_equal(predict_network(network, held.take(order)), whole[order])
    assert np.array_equal(predict_network(network, held.take(np.array([7]))), whole[7:8])


def test_visits_beyond_the_window_change_no_prepared_value(courses):
    dataset, preparation, rows = courses
    frame = dataset.frame.copy()
    frame["visits"] = [
        write_window(Window(0, 2, float(dataset.visits["time"].iloc[1]))) for _ in range(len(frame))
    ]
    visits = dataset.visits.copy()
    visits.iloc[2:, 1:] = 1e9
    one, other = (
        prepare_rows(preparation, replace(dataset, frame=frame, visits=table), rows[:3])
        for table in (dataset.visits, visits)
    )
    everyone = np.arange(3)
    assert np.array_equal(*(p.blocks["visits"].gather(everyone) for p in (one, other)))


def test_the_last_value_baseline_sees_no_more_than_the_last_values(courses):
    dataset, preparation, rows = courses
    prepared = prepare_rows(preparation, dataset, rows)
    names = [name for block in prepared.blocks.values() for name in block.names]
    seen = [names[place] for place in last_features(prepared)]
    told = [name for name in seen if name.startswith("visits")]
    assert told and all(name.endswith(", last") for name in told)
    assert any(name == "age" for name in seen)


def test_a_course_tells_more_than_its_last_values_where_missingness_is_informative():
    """The interval of GRU-D's gain in AUROC on the same patients lies above zero."""
    config = change_config(
        RunConfig(),
        {"train.epochs": 8, "train.batch_size": 64, "train.learning_rate": 0.01,
         "train.patience": 4, "series.width": 24},
    )  # fmt: skip
    dataset = configure_dataset(progression_dataset(1400), config)
    rows = np.random.default_rng(0).permutation(dataset.frame.index.to_numpy())
    parts = [np.sort(part) for part in np.split(rows, [600, 750])]
    preparation = fit_preparation(dataset, parts[0], config, CLASSES)
    learn, judge, test = (prepare_rows(preparation, dataset, part) for part in parts)
    said = {}
    for name in ("gru_d", "last_logistic"):
        unit = fit_unit(name, 0, name, learn, judge, config, folder=None,
                        emit=lambda _: None, stopping=lambda: False)  # fmt: skip
        said[name] = predict_member(unit.fitted, test)[:, 1]
    gain, low, _, _ = compare_areas(test.outcome, said["gru_d"], said["last_logistic"])
    assert gain > 0.05 and low > 0


@pytest.mark.parametrize(
    "strategy", ["class_weight", "focal", "logit_adjusted", "balanced_sampler", "oversample"]
)
def test_strategies_for_rare_outcomes_work_with_courses(courses, strategy):
    dataset, preparation, rows = courses
    learn, judge = (prepare_rows(preparation, dataset, part) for part in (rows[:80], rows[80:]))
    config = small_config(**{"balance.strategy": strategy})
    unit = fit_unit("gru_d", 0, "gru_d", learn, judge, config, folder=None,
                    emit=lambda _: None, stopping=lambda: False)  # fmt: skip
    assert np.isfinite(unit.judged).all() and len(unit.judged) == len(judge.row_id)


def test_mixup_and_smote_are_refused_with_the_reason(courses):
    dataset, preparation, rows = courses
    train = prepare_rows(preparation, dataset, rows[:80])
    with pytest.raises(FitError, match="Mixup cannot mix courses"):
        fit(train, None, small_config(**{"augment.mixup": 0.2}), name="gru_d")
    with pytest.raises(FitError, match="'visits' is not one"):
        balance_rows(train, small_config(**{"balance.strategy": "smote"}).balance,
                     np.random.default_rng(0))  # fmt: skip
