"""From records to Plotly figures, for pages and the report alike; `style.py` is their one look."""

from medcore.figures.calibration import draw_calibration, draw_recalibration
from medcore.figures.certainty import draw_abstention
from medcore.figures.comparison import CHARTS, draw_settings, overlay
from medcore.figures.course import draw_course_map, draw_trajectory
from medcore.figures.decision import draw_avoided, draw_decision
from medcore.figures.explanation import draw_effect, draw_importance, draw_shares
from medcore.figures.forest import draw_forest
from medcore.figures.judgement import (
    Drawn,
    draw_by_class,
    draw_confusion,
    draw_histogram,
    draw_learning,
    draw_precision_recall,
    draw_residuals,
    draw_roc,
    draw_scatter,
)
from medcore.figures.learning import draw_size_curve
from medcore.figures.style import (
    BLUE,
    DASHES,
    GREEN,
    GREYS,
    ORANGE,
    PINK,
    SEQUENCE,
    SKY,
    VERMILION,
    make_figure,
)
from medcore.figures.tasks import draw_judgement

__all__ = [
    "BLUE",
    "CHARTS",
    "DASHES",
    "GREEN",
    "GREYS",
    "ORANGE",
    "PINK",
    "SEQUENCE",
    "SKY",
    "VERMILION",
    "Drawn",
    "draw_abstention",
    "draw_avoided",
    "draw_by_class",
    "draw_calibration",
    "draw_confusion",
    "draw_course_map",
    "draw_decision",
    "draw_effect",
    "draw_forest",
    "draw_histogram",
    "draw_importance",
    "draw_judgement",
    "draw_learning",
    "draw_precision_recall",
    "draw_recalibration",
    "draw_residuals",
    "draw_roc",
    "draw_scatter",
    "draw_settings",
    "draw_shares",
    "draw_size_curve",
    "draw_trajectory",
    "make_figure",
    "overlay",
]
