"""How a model was trained, in words: optimiser, batches, epochs, and what was changed at random."""

from __future__ import annotations

from collections.abc import Iterable

from medcore.config import ImageConfig
from medcore.report.facts import Facts

MIRRORED = {"horizontal": "sideways", "both": "sideways and upside down"}


def say_training(facts: Facts) -> str:
    """How it was trained: optimiser, epochs, stopping."""
    specs = [m["spec"] for m in facts.model.get("members", []) if "epochs" in m["spec"]]
    if not specs:
        return "Fitted in one go; there are no epochs."
    train = facts.config.train
    ran = _span(int(spec["best_epoch"]) for spec in specs)
    batch = _span(int(spec.get("batch_size", train.batch_size)) for spec in specs)
    augment = {name: value for name, value in facts.config.augment if value}
    if any(column.kind == "image" and column.role == "input" for column in facts.columns):
        augment |= _image_changes(facts.config.image, specs)
    told = (f"{n} {v if isinstance(v, str) else format(v, 'g')}" for n, v in augment.items())
    said = ", ".join(told) or "none"
    return (
        f"{train.optimizer} with learning rate {train.learning_rate:g} ({train.schedule}), batches "
        f"of {batch}, weight decay {train.weight_decay:g}; at most {train.epochs} "
        f"epochs, stopped after {train.patience} without a better validation loss; best epoch "
        f"{ran}. Augmentation: {said}."
    )


def _span(numbers: Iterable[int]) -> str:
    """Return "3", or "3–7"."""
    found = sorted(set(numbers))
    return f"{found[0]}" if len(found) == 1 else f"{found[0]}–{found[-1]}"


def _image_changes(image: ImageConfig, specs: list[dict]) -> dict[str, float | str]:
    """Return the random changes of training images that are switched on, in words."""
    blocks = [
        block for spec in specs for block in spec.get("network", {}).get("blocks", {}).values()
    ]
    told = next((block["modality"] for block in blocks if "modality" in block), "other")
    made = image.changes_for(told)
    words = {
        "turned by up to (degrees)": made.rotate, "shifted by up to": made.shift,
        "zoomed by up to": made.zoom, "brightness and contrast by up to": made.intensity,
        "image noise": made.noise, "chance of erasing": made.erase,
    }  # fmt: skip
    mirrored = {} if made.flips == "none" else {"mirrored": MIRRORED[made.flips]}
    return {name: value for name, value in words.items() if value} | mirrored
