"""The rules by which each task's predictions are judged: one module a task."""

from __future__ import annotations

from collections.abc import Mapping

from medcore.config import Task
from medcore.evaluate import binary, multiclass, multilabel, regression, survival
from medcore.evaluate.judged import TaskRules

TASKS: Mapping[Task, TaskRules] = {
    "binary": binary.RULES,
    "multiclass": multiclass.RULES,
    "regression": regression.RULES,
    "multilabel": multilabel.RULES,
    "survival": survival.RULES,
}
