"""What may lie beside a table, or in folders: images and recordings, each read in its way.

`FORMATS` is the table: what is named like it, and how one file is kept in the media folder with
the facts about it that become columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medcore.config import Kind
from medcore.data.media.files import MediaFolder
from medcore.data.media.looks import LOOKS, describe_look
from medcore.data.media.pictures import decode_image, is_image
from medcore.data.media.signals import decode_signal, is_long, is_signal
from medcore.errors import DataError
from medcore.records import Column
from medcore.sound import ENDINGS, read_sound, write_flac

SECONDS, SAMPLE_RATE, QUALITY = "sound_seconds", "sound_rate", "sound_quality"
FACTS = (
    Column(SECONDS, "number", "ignored", "s", note="How long the recording lasts."),
    Column(SAMPLE_RATE, "number", "ignored", "Hz", note="Samples a second of the file brought."),
    Column(QUALITY, "category", "ignored", note="What the samples themselves tell."),
)
SAMPLES, CHANNELS = "signal_samples", "signal_channels"
SIGNAL_FACTS = (
    Column(SAMPLES, "number", "ignored", note="How many samples the waveform has."),
    Column(CHANNELS, "number", "ignored", note="How many channels the waveform has."),
)


@dataclass(frozen=True)
class Kept:
    """A file in the media folder: its name there, and what is known of it by column."""

    name: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """One kind of file: its column's kind and name, its words, and how it is told and kept.

    `keep(path, told, folder)` raises `DataError` with a sentence that calls the file `told`.
    `facts` are the columns that `Kept.facts` fill.
    """

    kind: Kind
    things: str
    read: str
    holds: Callable[[str], bool]
    keep: Callable[[Path, str, MediaFolder], Kept]
    facts: tuple[Column, ...] = ()


def is_sound(name: str) -> bool:
    """Tell whether a file is named like a recording."""
    return name.lower().endswith(tuple(f".{ending}" for ending in ENDINGS))


def _keep_image(path: Path, told: str, folder: MediaFolder) -> Kept:
    picture = decode_image(path, told)
    colour = picture.pixels.ndim == 3 and not picture.volume
    return Kept(folder.add(picture.pixels), describe_look(picture.pixels, colour))


def _keep_sound(path: Path, told: str, folder: MediaFolder) -> Kept:
    """Keep a recording as 16 kHz FLAC: samples alone, so that no tag of the file stays."""
    try:
        sound = read_sound(path)
    except DataError as error:
        raise DataError(str(error).replace(path.name, told)) from None
    facts = {SECONDS: sound.seconds, SAMPLE_RATE: float(sound.rate), QUALITY: sound.quality}
    return Kept(folder.add_bytes(write_flac(sound.samples), "flac"), facts)


def _keep_signal(path: Path, told: str, folder: MediaFolder) -> Kept:
    signal = decode_signal(path, told)
    facts = dict(zip((SAMPLES, CHANNELS), map(float, signal.shape), strict=True))
    return Kept(folder.add(signal), facts)


FORMATS: tuple[Format, ...] = (
    Format("image", "images", "PNG, JPEG and the like", is_image, _keep_image, LOOKS),
    Format("audio", "recordings", "WAV, FLAC, MP3, OGG and M4A", is_sound, _keep_sound, FACTS),
    Format(
        "series", "waveforms", ".npy, and CSV in folders", is_signal, _keep_signal, SIGNAL_FACTS
    ),
)


def find_format(names: Iterable[str], root: Path) -> Format:
    """Return the format that most of the files in `root` are named like.

    An array (.npy) may be an image or a waveform; the first one's shape tells.
    """
    names = list(names)
    arrays = [name for name in names if name.lower().endswith(".npy")]
    waves = bool(arrays) and is_long(root / arrays[0])

    def count(found: Format) -> int:
        held = sum(map(found.holds, names))
        return held if not arrays or (found.kind == "series") == waves else held - len(arrays)

    return max(FORMATS, key=count)


def is_media(name: str) -> bool:
    """Tell whether a file is named like anything that is kept beside a table."""
    return any(found.holds(name) for found in FORMATS)
