"""Settings of the question: what is predicted, who is judged on, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from medcore.config.base import ADVANCED, Section, ThresholdRule, read_list


class OutcomeConfig(Section):
    """The outcome's meaning."""

    positive: str | None = Field(
        None,
        title="Positive class",
        description="The class whose risk is predicted; by default the rarer one.",
    )
    order: tuple[str, ...] = Field(
        (),
        title="Order of the classes",
        description="From least to most, where more than two classes have an order, such as low, "
        "middle, high; a far miss then counts more than a near one (quadratic kappa). Classes "
        "that are numbers have their own.",
    )

    separator: str | None = Field(
        None,
        title="Separator of several findings",
        description="Where a cell of the outcome names several findings at once, such as "
        "“effusion; oedema”: what stands between them. Each finding then has a risk of its own.",
    )
    censored: str | None = Field(
        None,
        title="Value that means censored",
        description="Time to event: the value of the event column for those who had no event "
        "while they were followed; by default 0, no, alive, censored and alike.",
    )
    follow_up_end: float | None = Field(
        None,
        gt=0,
        title="End of follow-up",
        description="Time to event: follow-up is cut here, in the unit of the durations; later "
        "events do not count. By default nothing is cut.",
    )

    @field_validator("order", mode="before")
    @classmethod
    def _read_order(cls, value: Any) -> Any:
        return read_list(value)


class SplitConfig(Section):
    """Who is learned from and who is judged on."""

    kind: Literal["holdout", "kfold", "temporal", "site"] = Field(
        "holdout",
        title="How patients are divided",
        description="Hold-out: one random test group. k-fold: everyone is tested once. "
        "Temporal: the latest patients are the test. Site: each site is tested in turn.",
    )
    test: float = Field(
        0.2, ge=0.05, le=0.5, title="Test share",
        description="Share of patients set aside and scored once, at the very end.",
    )  # fmt: skip
    validation: float = Field(
        0.2, ge=0.05, le=0.5, title="Validation share", json_schema_extra=ADVANCED,
        description="Share of the remaining patients that decides when to stop and the threshold.",
    )  # fmt: skip
    calibration: float = Field(
        0.1, ge=0, le=0.4, title="Calibration share", json_schema_extra=ADVANCED,
        description="Share of the training patients kept for calibration from 1,000 training rows; "
        "below that, and at 0, cross-fitted predictions of the training rows serve instead.",
    )  # fmt: skip
    folds: int = Field(
        5, ge=2, le=20, title="Folds", json_schema_extra=ADVANCED,
        description="Number of groups in k-fold cross-validation.",
    )  # fmt: skip
    repeats: int = Field(
        1, ge=1, le=10, title="Repeats", json_schema_extra=ADVANCED,
        description="How often the whole cross-validation is repeated with other groups.",
    )  # fmt: skip


class EvaluateConfig(Section):
    """How the model is judged."""

    resamples: int = Field(
        1000, ge=100, le=10000, title="Bootstrap resamples", json_schema_extra=ADVANCED,
        description="Resampled test groups behind each interval.",
    )  # fmt: skip
    threshold: ThresholdRule = Field(
        "youden", title="Threshold chosen by", json_schema_extra=ADVANCED,
        description="On validation patients only. Youden weighs missed patients and false alarms "
        "alike, and takes the middle where many thresholds are as good; sensitivity or specificity "
        "guarantees a value; cost weighs a missed patient as so many false alarms; alarms limits "
        "how many of 100 patients alarm; fixed takes yours.",
    )  # fmt: skip
    target: float = Field(
        0.9, gt=0, lt=1, title="Target", json_schema_extra=ADVANCED,
        description="The sensitivity or specificity to reach, or the fixed threshold.",
    )  # fmt: skip
    cost_ratio: float = Field(
        5.0, ge=0.01, le=1000, title="Cost of a missed patient", json_schema_extra=ADVANCED,
        description="For the rule cost: how many false alarms are as bad as one missed patient.",
    )  # fmt: skip
    alarms: float = Field(
        20.0, gt=0, lt=100, title="Alarms per 100 patients", json_schema_extra=ADVANCED,
        description="For the rule alarms: how many of 100 patients may alarm at most.",
    )  # fmt: skip
    act_from: float = Field(
        0.01, gt=0, lt=1, title="Act from a risk of, at the least", json_schema_extra=ADVANCED,
        description="Decision curve: the lowest risk from which anybody would treat, test or call.",
    )  # fmt: skip
    act_to: float = Field(
        0.99, gt=0, lt=1, title="Act from a risk of, at the most", json_schema_extra=ADVANCED,
        description="Decision curve: the highest risk up to which anybody would still wait.",
    )  # fmt: skip
    coverage: float = Field(
        0.9, ge=0.5, lt=1, title="Coverage promised", json_schema_extra=ADVANCED,
        description="Share of new patients whose outcome lies in the set of answers, or in the "
        "interval, that is given for each of them.",
    )  # fmt: skip

    horizons: tuple[str, ...] = Field(
        (), title="Horizons", json_schema_extra=ADVANCED,
        description="Time to event: the times by which risks are told and judged, such as "
        "365, 730 or 1y, 5y; by default the quartiles of the times of events.",
    )  # fmt: skip

    @field_validator("horizons", mode="before")
    @classmethod
    def _read_horizons(cls, value: Any) -> Any:
        return read_list(value)

    @model_validator(mode="after")
    def _check_range(self) -> EvaluateConfig:
        if self.act_from >= self.act_to:
            raise ValueError("act_from must lie below act_to")
        return self
