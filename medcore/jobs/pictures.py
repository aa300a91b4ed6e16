"""Work over all images of a data set in the background: blanking out, looking for copies."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from medcore.data.dicom.blanking import Rectangle, blank_images
from medcore.data.likeness import read_prints
from medcore.errors import JobError
from medcore.records import Event, Watch
from medcore.store import (
    Job,
    Workspace,
    delete_dataset,
    load_dataset,
    load_settings,
    save_dataset,
    save_settings,
)


def blank_out(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Blank out rectangles in a data set's images; the settings go over to the new data set."""
    asked = job.payload
    dataset = load_dataset(workspace, asked["dataset"])
    rectangles = {
        name: [Rectangle(*box) for box in boxes] for name, boxes in asked["rectangles"].items()
    }
    done = {"images": 0}

    def tell() -> bool:
        done["images"] += 1
        share = done["images"] / max(1, len(rectangles))
        watch.emit(Event(time.time(), "blank", "Blanking out", 0.9 * share))
        return not watch.stopping()

    with tempfile.TemporaryDirectory() as folder:
        media = Path(folder) / "media"
        blanked = blank_images(dataset, asked["column"], rectangles, media, tell)
        if blanked is None:
            return None
        row = save_dataset(workspace, blanked)
    save_settings(workspace, row.id, load_settings(workspace, asked["dataset"]))
    if asked["delete"]:
        delete_dataset(workspace, asked["dataset"])
    return {"dataset": row.id}


def compare(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Make the prints by which copies are found; they are kept beside the images."""
    dataset = load_dataset(workspace, job.payload["dataset"])
    if dataset.media is None:
        raise JobError("This data set has no images to compare.")
    names = dataset.frame[job.payload["column"]].dropna().astype(str).unique()

    def tell(share: float) -> None:
        watch.emit(Event(time.time(), "compare", "Comparing the images", 0.95 * share))

    whole = read_prints(dataset.media, list(names), tell, watch.stopping)
    return None if whole is None else {"images": len(whole.names)}
