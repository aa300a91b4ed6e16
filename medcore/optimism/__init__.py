"""How much of a result is luck or optimism: the recipe fitted again on other patients.

Repeated cross-validation says what other divisions of the patients would have shown, Harrell's
bootstrap how much better the model looks on its own patients, the learning curve whether more
patients would help. `plan.py` says how many fits that takes and how long, `fits.py` does one fit,
`work.py` all of them, `words.py` says what they show. Nothing here imports scikit-learn or torch
before the work begins.
"""

from medcore.optimism.plan import EFFORTS, Effort, count_fits, estimate_seconds, fit_seconds
from medcore.optimism.words import leading_figure, write_findings

__all__ = [
    "EFFORTS",
    "Effort",
    "count_fits",
    "estimate_seconds",
    "fit_seconds",
    "leading_figure",
    "write_findings",
]
