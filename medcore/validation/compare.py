"""A figure here against the same figure in development, on other patients."""

from __future__ import annotations

import math

from medcore.records import Metric


def difference_of_metrics(here: Metric, there: Metric) -> Metric:
    """Return here − there with its interval, from the intervals of both (MOVER).

    The patients are others, so that the two are independent (Zou and Donner 2008).

    >>> found = difference_of_metrics(Metric(0.7, 0.6, 0.8, 50, "delong"),
    ...                               Metric(0.9, 0.87, 0.93, 200, "delong"))
    >>> round(found.low, 3), round(found.high, 3)
    (-0.304, -0.096)
    """
    value = here.value - there.value
    if not all(math.isfinite(x) for x in (value, here.low, here.high, there.low, there.high)):
        reason = here.reason or there.reason or "one of the two has no interval"
        return Metric(value, math.nan, math.nan, here.n, "none", reason)
    low = value - math.hypot(here.value - here.low, there.high - there.value)
    high = value + math.hypot(here.high - here.value, there.value - there.low)
    return Metric(value, low, high, here.n, here.method)
