"""Sound of any kind becomes 16 kHz mono, in bounded memory; what is no sound is a sentence."""

import wave

import numpy as np
import pytest
import soundfile

from medcore.errors import DataError, StoreError
from medcore.speech import RATE, read_part, read_sound, read_sound_isolated, write_flac, write_wav

SECONDS, PITCH = 2.0, 440.0


def a_sine(rate, channels=1, seconds=SECONDS, level=0.5):
    times = np.arange(int(rate * seconds)) / rate
    wave_form = level * np.sin(2 * np.pi * PITCH * times)
    return np.stack([wave_form] * channels, axis=1).astype(np.float32)


def pitch_of(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 16 * len(samples)))
    return float(np.fft.rfftfreq(16 * len(samples), 1 / RATE)[spectrum.argmax()])


def write_by_av(path, codec, samples, rate, *, picture=False):
    import av

    with av.open(str(path), "w") as container:
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        film = None
        if picture:
            film = container.add_stream("mpeg4", rate=5)
            film.width = film.height = 64
            film.pix_fmt = "yuv420p"
            for _ in range(5):
                frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                container.mux(film.encode(frame))
            container.mux(film.encode(None))
        frame = av.AudioFrame.from_ndarray(samples[:, :1].T.copy(), format="flt", layout="mono")
        frame.rate = rate
        frame.pts = 0
        fifo = av.AudioFifo()
        fifo.write(frame)
        while (part := fifo.read(sound.codec_context.frame_size or 1024, partial=True)) is not None:
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [("a.wav", 44100, 2), ("a.flac", 48000, 1), ("a.ogg", 22050, 1), ("a.mp3", 44100, 2),
     ("a.wav", 8000, 1)],
)  # fmt: skip
def test_a_sine_keeps_its_pitch_within_one_hertz(tmp_path, name, rate, channels):
    soundfile.write(tmp_path / name, a_sine(rate, channels), rate)
    sound = read_sound(tmp_path / name)
    assert sound.samples.dtype == np.float32
    assert abs(sound.seconds - SECONDS) < 0.15
    assert abs(pitch_of(sound.samples) - PITCH) < 1


def test_m4a_is_read_and_a_film_is_refused(tmp_path):
    write_by_av(tmp_path / "a.m4a", "aac", a_sine(44100), 44100)
    assert abs(pitch_of(read_sound(tmp_path / "a.m4a").samples) - PITCH) < 1
    write_by_av(tmp_path / "a.mp4", "aac", a_sine(44100), 44100, picture=True)
    with pytest.raises(DataError, match="is a video"):
        read_sound(tmp_path / "a.mp4")


def test_the_child_gives_the_same_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", a_sine(RATE), RATE)
    inside, outside = read_sound(tmp_path / "a.wav"), read_sound_isolated(tmp_path / "a.wav")
    assert np.array_equal(inside.samples, outside.samples)
    (tmp_path / "b.wav").write_bytes(b"RIFF but not a sound")
    with pytest.raises(DataError, match="cannot be read as sound"):
        read_sound_isolated(tmp_path / "b.wav")


def test_three_hours_are_refused_by_their_header_with_the_figure(tmp_path):
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(1000)
        file.writeframes(b"\x80" * (3 * 3600 * 1000))
    with pytest.raises(DataError, match="lasts 3 h 0 min; at most 60 min"):
        read_sound(tmp_path / "long.wav")


def test_a_limit_of_ones_own_holds_and_a_wrong_one_is_named(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.ogg", a_sine(8000, seconds=70), 8000)
    read_sound(tmp_path / "a.ogg")
    monkeypatch.setenv("MEDCORE_SPEECH_MINUTES", "1")
    with pytest.raises(DataError, match="at most 1 min"):
        read_sound(tmp_path / "a.ogg")
    monkeypatch.setenv("MEDCORE_SPEECH_MINUTES", "soon")
    with pytest.raises(StoreError, match="whole number"):
        read_sound(tmp_path / "a.ogg")


def test_empty_text_and_missing_files_are_sentences(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("no sound at all " * 50)
    soundfile.write(tmp_path / "zero.wav", np.zeros(0, np.float32), RATE)
    for name, said in (
        ("empty.wav", "is empty"), ("text.mp3", "cannot be read as sound"),
        ("zero.wav", "holds no sound"), ("absent.wav", "no file"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            read_sound(tmp_path / name)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (a_sine(RATE, seconds=0.1), "too short"),
        (np.clip(a_sine(RATE, level=3.0), -1, 1), "overdriven"),
        (np.zeros((RATE, 1), np.float32), "silent"),
    ],
)
def test_what_makes_speech_hard_to_understand_is_said(tmp_path, samples, said):
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    assert any(said in note for note in read_sound(tmp_path / "a.wav").notes)


def test_values_that_are_no_numbers_become_silence(tmp_path):
    samples = a_sine(RATE)
    samples[100:200] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert np.isfinite(read_sound(tmp_path / "a.wav").samples).all()


def test_a_kept_sound_gives_back_the_seconds_asked_for(tmp_path):
    samples = a_sine(RATE)[:, 0]
    (tmp_path / "a.flac").write_bytes(write_flac(samples))
    part = read_part(tmp_path / "a.flac", 0.5, 1.0)
    assert np.allclose(part, samples[RATE // 2 : RATE], atol=1e-4)
    assert len(read_part(tmp_path / "a.flac", 5.0, 6.0)) == 0
    assert write_wav(part)[:4] == b"RIFF"
