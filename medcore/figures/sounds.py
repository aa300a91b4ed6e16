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
    places = [place_of_pitch(pitch, len(bands)) for pitch in PITCHES]
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


def draw_pitches(said: Mapping[str, Any], target: str) -> Drawn:
    """Draw which pitches spoke for a class when, by integrated gradients.

    `said`: an answer of `medcore.explanation.sounds.explain_sound` with `pitches`.
    """
    told = said["pitches"]
    values, highest = np.array(told["values"]), told["highest"]
    figure = make_figure(f"Which pitches speak for “{target}”, and when", "Time (s)", "Pitch (Hz)")
    edges = np.linspace(0, said["seconds"], values.shape[1] + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    pitches = [pitch_of_band(band, len(values), highest) for band in range(len(values))]
    figure.add_heatmap(
        z=values, x=middles, y=np.arange(len(values)), zmid=0, zmin=-1, zmax=1,
        colorscale=[[0, BLUE], [0.5, "#F7F7F7"], [1, ORANGE]],
        colorbar={"title": "For (+) or<br>against (−)", "thickness": 12},
        customdata=np.tile(np.round(pitches)[:, None], (1, values.shape[1])),
        hovertemplate="%{x:.2f} s, %{customdata:,.0f} Hz: %{z:+.2f}<extra></extra>",
    )  # fmt: skip
    shown = [pitch for pitch in PITCHES if pitch <= highest]
    figure.update_yaxes(
        tickvals=[place_of_pitch(pitch, len(values), highest) for pitch in shown],
        ticktext=[f"{pitch:,}" for pitch in shown],
    )
    table = pd.DataFrame(values, index=np.round(pitches), columns=np.round(middles, 3))
    table = table.rename_axis("pitch (Hz)").reset_index()
    return figure, table.rename(columns=str)


def place_of_pitch(pitch: float, bands: int, highest: float = RATE / 2) -> float:
    """Return where a pitch lies among bands counted from 0; the inverse of `pitch_of_band`.

    >>> round(place_of_pitch(pitch_of_band(7, 64), 64), 6)
    7.0
    """
    share = (to_mel(pitch) - to_mel(LOWEST)) / (to_mel(highest) - to_mel(LOWEST))
    return float(share * (bands + 1) - 1)


def pitch_of_band(band: int, bands: int, highest: float = RATE / 2) -> float:
    """Return the pitch in the middle of a band, in Hz.

    >>> round(pitch_of_band(0, 64))
    79
    """
    step = (to_mel(highest) - to_mel(LOWEST)) / (bands + 1)
    return float(to_hertz(to_mel(LOWEST) + (band + 1) * step))
