"""From the parts of a split to a fitted model: which members, on which rows, with which weights.

`plan.py` says who is fitted on whom, `units.py` does one fit and keeps it, `weights.py` joins the
members, `fit.py` runs the plan, `files.py` keeps the model in a run's folder.
"""

from medcore.recipes.files import load_model, save_model
from medcore.recipes.fit import Fitted, fit_model

__all__ = ["Fitted", "fit_model", "load_model", "save_model"]
