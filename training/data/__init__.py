"""Batches of two-view clips, from recordings and from simulated pairs."""

from training.data.batch import Batch, batches, make_batch
from training.data.draw import steps_per_epoch
from training.data.sources import Source, Take, source_of_clip

__all__ = [
    "Batch",
    "Source",
    "Take",
    "batches",
    "make_batch",
    "source_of_clip",
    "steps_per_epoch",
]
