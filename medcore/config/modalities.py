"""The sections for columns that are not numbers or categories: one a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from pydantic import Field

from medcore.config.base import (
    ADVANCED,
    AudioEncoder,
    ImageEncoder,
    Kind,
    Section,
    SeriesEncoder,
    TextEncoder,
)

Modality = Literal["other", "radiograph", "ct", "mri", "ultrasound", "skin", "retina", "microscopy"]


class ImageChanges(NamedTuple):
    """How far training images are changed at random; each as in `ImageConfig`, none left open."""

    rotate: float = 10.0
    shift: float = 0.06
    zoom: float = 0.08
    intensity: float = 0.3
    noise: float = 0.0
    erase: float = 0.0
    flips: Literal["none", "horizontal", "both"] = "none"


# What leaves the finding as it is, by modality.
CHANGES: Mapping[Modality, ImageChanges] = {
    "other": ImageChanges(),
    "radiograph": ImageChanges(),
    "ct": ImageChanges(intensity=0.1),
    "mri": ImageChanges(noise=0.05),
    "ultrasound": ImageChanges(noise=0.1),
    "skin": ImageChanges(rotate=180.0, zoom=0.15, intensity=0.2, flips="both"),
    "retina": ImageChanges(rotate=15.0, intensity=0.2, flips="horizontal"),
    "microscopy": ImageChanges(rotate=180.0, intensity=0.2, flips="both"),
}


class ImageConfig(Section):
    """How images are read, looked at and, in training, changed at random."""

    encoder: ImageEncoder = Field(
        "resnet_small", title="Network for images", json_schema_extra=ADVANCED,
        description="The small residual net learns well from some thousand images without a "
        "graphics processor; the large ones want one, and weights learned elsewhere. That in 3-D "
        "is for small volumes; the others see their slices one by one.",
    )  # fmt: skip
    size: int = Field(
        128, ge=16, le=1024, title="Image size", json_schema_extra=ADVANCED,
        description="Longer side in pixels at most; smaller images keep their size, the aspect "
        "ratio is kept, borders are filled.",
    )  # fmt: skip
    window: Literal["auto", "lung", "bone", "brain", "subdural"] = Field(
        "auto", title="CT window", json_schema_extra=ADVANCED,
        description="Which Hounsfield units of a CT the network tells apart: lung −600 ± 750, bone "
        "400 ± 900, brain 40 ± 40, subdural 75 ± 107. Auto keeps all of them. Other images are "
        "not changed.",
    )  # fmt: skip
    channels: Literal["auto", "grey", "colour"] = Field(
        "auto", title="Colour", json_schema_extra=ADVANCED,
        description="Auto keeps colour when any training image has it.",
    )  # fmt: skip
    slices: int = Field(
        16, ge=1, le=256, title="Slices of a volume", json_schema_extra=ADVANCED,
        description="Of a volume or series so many slices at most are looked at, evenly spaced; "
        "1 takes the middle one.",
    )  # fmt: skip
    pooling: Literal["attention", "max", "mean"] = Field(
        "attention", title="Slices become one by", json_schema_extra=ADVANCED,
        description="Attention learns which slices count; the largest finds what shows in a few "
        "slices only; the mean suits what is everywhere.",
    )  # fmt: skip
    modality: Literal["auto", Modality] = Field(
        "auto", title="Kind of image",
        description="Which random changes in training are sane; auto takes what all headers of the "
        "files say. Where left and right or up and "
        "down mean something, or nothing is known, images are not mirrored and only turned, "
        "moved and zoomed a little; grey values of a CT are hardly changed, because Hounsfield "
        "units mean something; a retina may be mirrored sideways, as the other eye is; skin and "
        "tissue have no up and down.",
    )  # fmt: skip
    rotate: float | None = Field(
        None, ge=0, le=180, title="Turn (degrees)", json_schema_extra=ADVANCED,
        description="Training images are turned at random by up to so much either way; "
        "not set: as suits the kind of image, as for the five below.",
    )  # fmt: skip
    shift: float | None = Field(
        None, ge=0, le=0.5, title="Shift", json_schema_extra=ADVANCED,
        description="Training images are moved at random by up to this share of their size.",
    )  # fmt: skip
    zoom: float | None = Field(
        None, ge=0, le=0.5, title="Zoom", json_schema_extra=ADVANCED,
        description="Training images are enlarged or made smaller at random by up to this share.",
    )  # fmt: skip
    intensity: float | None = Field(
        None, ge=0, le=1, title="Brightness and contrast", json_schema_extra=ADVANCED,
        description="How far brightness and contrast of training images change at random.",
    )  # fmt: skip
    noise: float | None = Field(
        None, ge=0, le=1, title="Image noise", json_schema_extra=ADVANCED,
        description="Standard deviation of random noise on standardised pixels.",
    )  # fmt: skip
    erase: float | None = Field(
        None, ge=0, le=0.9, title="Erasing", json_schema_extra=ADVANCED,
        description="Chance that a random rectangle of a training image is blanked out.",
    )  # fmt: skip
    flips: Literal["auto", "none", "horizontal", "both"] = Field(
        "auto", title="Mirroring", json_schema_extra=ADVANCED,
        description="Auto: as suits the kind of image. None where left and right or up and down "
        "mean something (a chest has its heart on the left); horizontal or both for skin, cells "
        "and the like.",
    )  # fmt: skip
    views: int = Field(
        5, ge=1, le=9, title="Views per prediction", json_schema_extra=ADVANCED,
        description="Slightly moved views of an image whose predictions are averaged; "
        "1 looks once.",
    )  # fmt: skip
    weights: str = Field(
        "", title="Starting weights", json_schema_extra=ADVANCED,
        description="A safetensors file to start from, or hub:OWNER/MODEL/FILE.safetensors where "
        "there is internet, named on the command line or in a settings file; empty starts from "
        "random weights.",
    )  # fmt: skip
    pretrain: int = Field(
        0, ge=0, le=500, title="Passes of pre-training", json_schema_extra=ADVANCED,
        description="Before training, the network learns to draw images again, so many times "
        "each, those of rows without an outcome included. It starts from what it learned, and the "
        "model can tell how unusual a new image is. 0 leaves it out.",
    )  # fmt: skip
    frozen: float = Field(
        0.0, ge=0, le=1, title="Frozen share", json_schema_extra=ADVANCED,
        description="Share of the network's first layers whose starting weights are held.",
    )  # fmt: skip

    def changes_for(self, told: Modality) -> ImageChanges:
        """Return the random changes of training images: what is set, else what suits the modality.

        `told`: what the images say of themselves, where the settings leave it open.

        >>> ImageConfig(rotate=20).changes_for("skin")._asdict()["flips"]
        'both'
        """
        given = {name: getattr(self, name) for name in ImageChanges._fields}
        chosen = {name: value for name, value in given.items() if value not in (None, "auto")}
        modality = told if self.modality == "auto" else self.modality
        return CHANGES[modality]._replace(**chosen)


class SeriesConfig(Section):
    """Which visits a patient's course is made of, and how it is looked at.

    Times are in the unit of the visits' times; days where these are dates.
    """

    index: str = Field(
        "auto", title="Index visit",
        description="The moment from which is predicted; nothing after it is looked at. Auto takes "
        "each patient's last visit, or, where the time of the event is known, one visit of each "
        "patient drawn at random; first, last and random take that visit, every takes each visit "
        "in turn, and the name of a column takes the time in it.",
    )  # fmt: skip
    horizon: float | None = Field(
        None, gt=0, title="Horizon",
        description="The event must happen within this time after the index visit; who had none "
        "and was not followed so long is set aside. For a number: how far ahead it is forecast.",
    )  # fmt: skip
    history: float | None = Field(
        None, gt=0, title="History", json_schema_extra=ADVANCED,
        description="How far before the index visit visits are looked at; by default all of them.",
    )  # fmt: skip
    encoder: Literal["auto", SeriesEncoder] = Field(
        "auto", title="Network for visits", json_schema_extra=ADVANCED,
        description="Auto takes GRU-D for visits and the convolution for waveforms. GRU-D lets a "
        "value fade towards the usual one while it is not measured again; GRU and LSTM are told "
        "what was missing and how long ago the last visit was; the convolution (TCN) is quick and "
        "good for signals; the transformer compares all visits, each with its time.",
    )  # fmt: skip
    steps: int = Field(
        200, ge=2, le=5000, title="Most visits", json_schema_extra=ADVANCED,
        description="Of longer courses the latest visits are looked at.",
    )  # fmt: skip
    samples: int = Field(
        1000, ge=16, le=20000, title="Most samples of a waveform", json_schema_extra=ADVANCED,
        description="Longer waveforms, such as an ECG, are averaged down to so many samples.",
    )  # fmt: skip
    width: int = Field(
        48, ge=4, le=512, title="Width for visits", json_schema_extra=ADVANCED,
        description="Neurons that remember a patient's course.",
    )  # fmt: skip
    drop: float = Field(
        0.1, ge=0, le=0.9, title="Visits left out", json_schema_extra=ADVANCED,
        description="Share of visits hidden at random in each training step; the latest stays.",
    )  # fmt: skip
    noise: float = Field(
        0.0, ge=0, le=2, title="Noise on values", json_schema_extra=ADVANCED,
        description="Standard deviation of random noise on the visits' scaled values in training.",
    )  # fmt: skip


# Encoders by kind. A kind stands here once its columns can be learned from.
ENCODER_NAMES: dict[Kind, tuple[str, ...]] = {
    "image": get_args(ImageEncoder),
    "audio": get_args(AudioEncoder),
    "text": get_args(TextEncoder),
    "series": get_args(SeriesEncoder),
}
