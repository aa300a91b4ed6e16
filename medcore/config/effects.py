"""Settings of a question about the effect of treatment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medcore.config.base import ADVANCED, Section


class EffectConfig(Section):
    """What is compared, how treatment came about, and where no comparison is possible."""

    treated: str | None = Field(
        None, title="Treated",
        description="The value of the treatment column whose effect is told, against the other "
        "one; by default the one beside no, 0, control, placebo and alike.",
    )  # fmt: skip
    design: Literal["observational", "randomised"] = Field(
        "observational", title="How treatment came about",
        description="Observational: doctors and patients chose, so that the arms differ and the "
        "model makes up for what it sees of that. Randomised: chance chose, and the arms are alike "
        "but for chance.",
    )  # fmt: skip
    better: Literal["lower", "higher"] = Field(
        "lower", title="Better is",
        description="Whether a lower or a higher outcome is good for the patient. Lower suits "
        "events to be avoided; it decides who counts as benefiting.",
    )  # fmt: skip
    share: float = Field(
        0.0, ge=0, lt=1, title="Share assigned to treatment", json_schema_extra=ADVANCED,
        description="Randomised: the planned share of patients treated; 0 takes the share "
        "observed.",
    )  # fmt: skip
    overlap: float = Field(
        0.01, ge=0.001, le=0.2, title="Least chance of either arm", json_schema_extra=ADVANCED,
        description="A patient whose chance of one arm is below this has nobody to be compared "
        "with; such chances count as this in the weights.",
    )  # fmt: skip
    beyond: float = Field(
        0.05, ge=0, le=0.5, title="Most patients without overlap", json_schema_extra=ADVANCED,
        description="With a larger share of patients below the least chance of an arm, no effect "
        "is told.",
    )  # fmt: skip
    trim: float = Field(
        0.0, ge=0, le=0.4, title="Trim", json_schema_extra=ADVANCED,
        description="Sets patients aside whose chance of either arm is below this, and tells the "
        "effect in the others; 0.1 is usual (Crump et al. 2009), 0 keeps everybody.",
    )  # fmt: skip
    deep: bool = Field(
        False, title="TabM among the models", json_schema_extra=ADVANCED,
        description="The models of treatment and outcome are ridge regression and random forest, "
        "each fitted some fifty times; this joins TabM, which takes many times as long.",
    )  # fmt: skip
    robustness: bool = Field(
        True, title="Tests of robustness", json_schema_extra=ADVANCED,
        description="Estimates the effect again with treatment permuted, which must find none, and "
        "with a random confounder added, which must change little.",
    )  # fmt: skip
    causal_forest: bool = Field(
        False, title="Compare with a causal forest", json_schema_extra=ADVANCED,
        description="Judges econml's causal forest beside the model, on the same folds; for "
        "comparison only, as it is never kept or applied to new patients. Needs the package "
        "econml, which does not come with medcore: pip install econml.",
    )  # fmt: skip
