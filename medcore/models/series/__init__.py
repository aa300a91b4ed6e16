"""Encoders of courses: moments (rows, steps, 2 + 2 × channels) to vectors.

Of each moment: whether it is there, its time, each channel's standardised value (0 where not
measured) and whether it was measured. Moments come in their order, those that are not there last.
"""

from collections.abc import Callable

from torch import nn

from medcore.models.series.attention import TimeTransformer
from medcore.models.series.convolution import TemporalConvolution
from medcore.models.series.recurrent import GRUD, Recurrent

SERIES_ENCODERS: dict[str, Callable[[dict], nn.Module]] = {
    "gru_d": GRUD,
    "gru": lambda spec: Recurrent(spec, nn.GRU),
    "lstm": lambda spec: Recurrent(spec, nn.LSTM),
    "tcn": TemporalConvolution,
    "time_transformer": TimeTransformer,
}

__all__ = ["SERIES_ENCODERS"]
