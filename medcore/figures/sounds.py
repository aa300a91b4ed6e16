"""One recording as a picture: its spectrogram, and above it where a network listened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medcore.figures.judgement import Drawn
from medcore.figures.style import BLUE, ORANGE, make_figure
from medcore.sound import RATE
from medcore.sound.spectra import LOWEST, to_hertz, to_mel

PITCHES = (100, 500, 1000, 2000, 4000, 8000)


def draw_listening(said: Mapping[str, Any], target: str) -> Drawn:
    """Draw by how much silencing each stretch lowers the score of a class, over the spectrogram.

    `said`: an answer of `medcore.explanation.sounds.explain_sound`.
    """
    bands = np.array(said["spectrogram"])
    figure = make_figure(f"Which stretch speaks for “{target}”", "Time (s)", "Pitch (Hz)", 460)
    edges = np.linspace(0, said["seconds"], bands.shape[1] + 1)
    figure.add_heatmap(
        z=bands, x=(edges[:-1] + edges[1:]) / 2, y=np.arange(len(bands)), yaxis="y2",
        colorscale="Greys_r", showscale=False,
        hovertemplate="%{x:.2f} s, loudness %{z:.1f}<extra></extra>",
    )  # fmt: skip
    fall, starts, ends = (np.array(said[name]) for name in ("fall", "starts", "ends"))
    # Stretches overlap by half; a bar is as wide as from one's middle to the next's.
    middles = (starts + ends) / 2
    step = float(np.median(np.diff(middles))) if len(middles) > 1 else said["seconds"]
    figure.add_bar(
        x=middles, y=fall, width=step,
        marker={"color": np.where(fall >= 0, ORANGE, BLUE).tolist()},
        customdata=np.c_[starts, ends],
        hovertemplate="%{customdata[0]:.2f}–%{customdata[1]:.2f} s: %{y:+.2f}<extra></extra>",
    )  # fmt: skip
    top = len(bands) + 1
    places = [
        (to_mel(pitch) - to_mel(LOWEST)) / (to_mel(RATE / 2) - to_mel(LOWEST)) * top - 1
        for pitch in PITCHES
    ]
    figure.update_layout(
        showlegend=False, bargap=0,
        yaxis={"domain": [0.7, 1], "title": "For (+) or<br>against (−)", "range": [-1.1, 1.1],
               "zeroline": True, "zerolinecolor": "#999999"},
        yaxis2={"domain": [0, 0.62], "title": "Pitch (Hz)", "tickvals": places,
                "ticktext": [f"{pitch:,}" for pitch in PITCHES], "anchor": "x"},
        xaxis={"anchor": "y2", "range": [0, said["seconds"]]},
    )  # fmt: skip
    table = pd.DataFrame({"from (s)": starts, "to (s)": ends, "fall of the score": fall})
    return figure, table


def pitch_of_band(band: int, bands: int, highest: float = RATE / 2) -> float:
    """Return the pitch in the middle of a band, in Hz.

    >>> round(pitch_of_band(0, 64))
    79
    """
    step = (to_mel(highest) - to_mel(LOWEST)) / (bands + 1)
    return float(to_hertz(to_mel(LOWEST) + (band + 1) * step))
