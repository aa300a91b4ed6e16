"""Findings about images: names written in the picture, empty ones, colour and grey mixed."""

from __future__ import annotations

from collections.abc import Iterator

from medcore.data.dicom.blanking import suspected
from medcore.data.media.account import count_things
from medcore.data.media.looks import COLOUR, CONTENT, FLAT
from medcore.records import Dataset, Finding


def check_images(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of the images as pictures."""
    yield from _check_writing(dataset)
    if CONTENT in dataset.frame.columns:
        yield from _check_content(dataset)
    if COLOUR in dataset.frame.columns:
        yield from _check_colour(dataset)


def _check_writing(dataset: Dataset) -> Iterator[Finding]:
    count = int(suspected(dataset).sum())
    if count:
        images = "1 image" if count == 1 else f"{count:,} images"
        yield Finding(
            "text_in_image",
            "warning",
            ("text_in_image",),
            f"{images} may have names written in the picture",
            "Nothing was blanked out by itself. Look at them on Images, blank names out, or leave "
            "these images out: a network may also learn from letters instead of the disease.",
            {"images": count, "share": count / len(dataset.frame)},
        )


def _check_content(dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding where pictures are of one value from edge to edge, all black for example."""
    looks = dataset.frame[CONTENT].dropna()
    flat, known = int(looks.eq(FLAT).sum()), len(looks)
    if not flat:
        return
    whole = flat == known
    yield Finding(
        "flat_images",
        "stop" if whole else "warning",
        (CONTENT,),
        f"{flat:,} of {count_things(known, 'image')} {'is' if flat == 1 else 'are'} empty: of one "
        "value from edge to edge",
        "Nothing can be learned from them: export the images again."
        if whole
        else "All black, for example: a failed export or an empty slice. They stay in, as images "
        "with nothing on them, and count in every figure. Find them by the column "
        f"“{CONTENT}”; bring the images again without them, or exported anew.",
        {"images": flat, "share": flat / known},
    )


def _check_colour(dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding where some pictures are in colour and some grey."""
    looks = dataset.frame[COLOUR].dropna()
    colour, known = int(looks.eq("colour").sum()), len(looks)
    if not 0 < colour < known:
        return
    outcome, by_class, told = dataset.predicted_column(), {}, ""
    if outcome is not None and outcome.kind == "category":
        shares = looks.eq("colour").groupby(dataset.frame.loc[looks.index, outcome.name])
        by_class = {str(name): f"{int(s.sum()):,} of {len(s):,}" for name, s in shares}
        listed = "; ".join(f"{name}: {words}" for name, words in by_class.items())
        told = f" In colour by {outcome.name}: {listed}."
    yield Finding(
        "mixed_colour", "warning", (COLOUR,),
        f"{colour:,} of {count_things(known, 'image')} are in colour, {known - colour:,} are grey",
        "A network gets them all alike: grey ones as colour images with three equal channels, or, "
        "with the setting “Colour” on grey, all of them in grey. Where colour goes with the "
        f"outcome it learns the device instead of the disease.{told}",
        {"colour": colour, "grey": known - colour},
    )  # fmt: skip
