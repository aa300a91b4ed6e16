"""The settings by which a model is judged."""

from __future__ import annotations

from pydantic import Field, model_validator

from medcore.config.base import ADVANCED, Section, ThresholdRule


class EvaluateConfig(Section):
    """How the model is judged."""

    resamples: int = Field(
        1000, ge=100, le=10000, title="Bootstrap resamples", json_schema_extra=ADVANCED,
        description="Resampled test groups behind each interval.",
    )  # fmt: skip
    threshold: ThresholdRule = Field(
        "youden", title="Threshold chosen by", json_schema_extra=ADVANCED,
        description="On validation patients only. Youden weighs missed patients and false alarms "
        "alike; sensitivity or specificity guarantees a value; cost weighs a missed patient as so "
        "many false alarms; alarms limits how many of 100 patients alarm; fixed takes yours.",
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

    @model_validator(mode="after")
    def _check_range(self) -> EvaluateConfig:
        if self.act_from >= self.act_to:
            raise ValueError("act_from must lie below act_to")
        return self
