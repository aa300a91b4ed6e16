"""The laboratory: strategies for missing values and rare classes, side by side on the same folds.

`plan.py` says which combinations there are and how long they take, `work.py` fits them, `judge.py`
measures them on the same resampled patients, `words.py` says what the figures support. `masks.py`
and `masking.py` hide known cells and compare how well strategies fill them. Nothing here imports
scikit-learn or torch before the work begins.
"""

from medcore.laboratory.masks import (
    MASKED,
    MECHANISMS,
    SHARES,
    MaskChoice,
    read_mask_choice,
    write_masking,
)
from medcore.laboratory.plan import (
    LABORATORY_MODELS,
    Choice,
    base_cell,
    cell_config,
    count_fits,
    estimate_seconds,
    list_cells,
    list_models,
    read_choice,
)
from medcore.laboratory.words import cell_title, write_conclusion

__all__ = [
    "LABORATORY_MODELS",
    "MASKED",
    "MECHANISMS",
    "SHARES",
    "Choice",
    "MaskChoice",
    "base_cell",
    "cell_config",
    "cell_title",
    "count_fits",
    "estimate_seconds",
    "list_cells",
    "list_models",
    "read_choice",
    "read_mask_choice",
    "write_conclusion",
    "write_masking",
]
