"""A run explained: what drives its model, and one patient's prediction.

`subject.py` opens a run with its table, `answers.py` turns its model into answers to made-up
patients, `work.py` explains the model, `patient.py` one patient, `checks.py` looks whether the
measures can be believed, `words.py` says it. Nothing here loads a model before it is asked to.
"""

from medcore.explanation.plan import ExplainChoice, read_explain_choice

__all__ = ["ExplainChoice", "read_explain_choice"]
