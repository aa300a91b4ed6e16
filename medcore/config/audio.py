"""The section for recordings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medcore.config.base import ADVANCED, Section


class AudioConfig(Section):
    """How recordings are heard and, in training, changed at random."""

    encoder: Literal["auto", "recogniser", "crnn"] = Field(
        "auto", title="Network for recordings", json_schema_extra=ADVANCED,
        description="The frozen recogniser takes what a pretrained speech model hears, once, and "
        "learns on top of it: best where recordings are few and hold speech. The "
        "convolutional-recurrent network learns from spectrograms alone. Auto takes the recogniser "
        "where one is at hand.",
    )  # fmt: skip
    seconds: float = Field(
        0.0, ge=0, le=60, title="Seconds heard", json_schema_extra=ADVANCED,
        description="Length of what is heard of a recording; of longer ones the loudest part. "
        "0 takes the longest training recording, up to 10 s.",
    )  # fmt: skip
    bands: int = Field(
        64, ge=16, le=128, title="Bands of pitch", json_schema_extra=ADVANCED,
        description="Rows of a spectrogram, of equal width to the ear (mel scale).",
    )  # fmt: skip
    highest: float = Field(
        8000.0, ge=1000, le=8000, title="Highest pitch (Hz)", json_schema_extra=ADVANCED,
        description="What lies above is not heard. Set it to half of the lowest sample rate where "
        "recordings of different devices are compared, so that no device gives itself away.",
    )  # fmt: skip
    level: bool = Field(
        True, title="Take out level and microphone", json_schema_extra=ADVANCED,
        description="The network hears each band against the recording's own mean, so that "
        "loudness and the microphone's colour do not count.",
    )  # fmt: skip
    time_mask: float = Field(
        0.15, ge=0, le=0.5, title="Hidden stretch of time", json_schema_extra=ADVANCED,
        description="Largest share of a training recording that is hidden in one piece, twice "
        "(SpecAugment, Park et al. 2019); 0 hides none.",
    )  # fmt: skip
    pitch_mask: float = Field(
        0.15, ge=0, le=0.5, title="Hidden band of pitch", json_schema_extra=ADVANCED,
        description="Largest share of the bands that is hidden in one piece, twice (SpecAugment); "
        "0 hides none.",
    )  # fmt: skip
    shift: float = Field(
        0.1, ge=0, le=0.5, title="Shift in time", json_schema_extra=ADVANCED,
        description="Training recordings begin earlier or later at random, by up to this share of "
        "what is heard.",
    )  # fmt: skip
    pitch: float = Field(
        0.06, ge=0, le=0.3, title="Shift in pitch", json_schema_extra=ADVANCED,
        description="Training recordings sound higher or lower at random, by up to this share of "
        "the bands, as other speakers would.",
    )  # fmt: skip
    noise: float = Field(
        0.5, ge=0, le=1, title="Recordings with noise", json_schema_extra=ADVANCED,
        description="Share of training recordings that white noise is added to; 0 adds none.",
    )  # fmt: skip
    snr: float = Field(
        20.0, ge=-10, le=60, title="Signal to noise (dB)", json_schema_extra=ADVANCED,
        description="How much stronger than the added noise a recording is, in decibels: 40 is "
        "hardly heard, 20 a fan, 0 as loud as the recording.",
    )  # fmt: skip
    recogniser: str = Field(
        "", title="Speech model", json_schema_extra=ADVANCED,
        description="Folder or hub name of the speech model behind the recogniser, named on the "
        "command line or in a settings file; empty takes the one Dictation takes.",
    )  # fmt: skip
