"""Small data sets in the layouts of the official code."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.video.writer import VideoWriter
from training.config import DataConfig

if TYPE_CHECKING:
    from pathlib import Path


def write_video(
    path: Path, *, frames: int = 12, size: tuple[int, int] = (32, 24), rate: int = 25, seed: int = 0
) -> Path:
    """Write a video in which a bright block wanders over noise, a little each frame."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 120, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, size=size, rate=rate) as writer:
        for number in range(frames):
            picture = ground.copy()
            left = (2 * number) % (size[0] - 6)
            picture[6:14, left : left + 6] = 200 + seed % 5
            writer.write(picture)
    return path


def tensor(values: Any, *, is_torch: bool, dtype: str = "int64") -> Any:
    """Labels as the official code stores them, or as an array where torch is not wanted."""
    array = np.asarray(values, dtype=dtype)
    if not is_torch:
        return array
    import torch

    return torch.from_numpy(array)


def listed(
    name: str, video: str, labels: Any = None, *, frames: int, number: int = 0, **more: Any
) -> dict[str, Any]:
    row = {"id": number, "name": name, "video_file": video, "seq_len": frames, **more}
    if labels is not None:
        row["frame_label"] = labels
    return row


def save(path: Path, value: Any, protocol: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def write_penn_action(root: Path, *, is_torch: bool = False, stated: int = 12) -> Path:
    """Two recordings of two actions in train, one in val; ``stated`` is the first's length."""
    folder = root / "penn_action"
    for split, names in (("train", ("0001_bowl", "0002_squat")), ("val", ("0003_bowl",))):
        rows = []
        for number, name in enumerate(names):
            frames = stated if name == "0001_bowl" else 12
            write_video(folder / "videos" / f"{name}.mp4", seed=number)
            labels = tensor(np.arange(frames) * 3 // frames, is_torch=is_torch)
            rows.append(
                listed(
                    name, f"videos/{name}.mp4", labels, frames=frames, number=number, action_label=3
                )
            )
        indices: list[list[int]] = [[] for _ in range(13)]
        indices[3] = list(range(len(names)))
        save(folder / f"{split}.pkl", (rows, indices))
    return folder


def write_pouring(root: Path, *, is_torch: bool = False, stated: int = 12) -> Path:
    folder = root / "pouring"
    for split in ("train", "val"):
        write_video(folder / "videos" / f"{split}.mp4")
        labels = tensor(np.arange(stated) * 5 // stated, is_torch=is_torch)
        rows = [listed(split, f"videos/{split}.mp4", labels, frames=stated)]
        save(folder / f"{split}.pkl", rows)
    return folder


def write_finegym(root: Path, *, elements: int = 99, is_torch: bool = False) -> Path:
    folder = root / "finegym"
    rows = {}
    for split in ("train", "val"):
        write_video(folder / "processed_videos" / f"{split}.mp4", size=(64, 36))
        values = np.full(12, -1.0)
        values[2:5] = 7.0
        labels = tensor(values, is_torch=is_torch, dtype="float32")
        rows[split] = [
            listed(split, f"processed_videos/{split}.mp4", labels, frames=12, event_label=1)
        ]
    save(folder / f"gym{elements}_train_v1.0.pkl", rows["train"])
    save(folder / f"gym{elements}_val.pkl", rows["val"])
    write_video(folder / "additional_processed_videos" / "more.mp4", size=(64, 36), frames=9)
    more = tensor(np.full(9, -1.0), is_torch=is_torch, dtype="float32")
    name = "additional_processed_videos/more.mp4"
    save(folder / "additional_v1.0.pkl", [listed("more", name, more, frames=9)])
    return folder


def write_kinetics(root: Path) -> Path:
    folder = root / "Kinetics400"
    names = []
    for number in range(3):
        write_video(folder / "train" / f"clip {number}.mp4", seed=number)
        names.append(f"Kinetics400/train/clip {number}.mp4,{number}")
    (folder / "train" / "clip 1.mp4").write_bytes(b"broken")
    (folder / "train.csv").write_text("\n".join(names) + "\n")
    return folder


def data_config(root: Path, kind: str = "folder", **more: Any) -> DataConfig:
    return DataConfig(root=str(root), kind=kind, **{"max_fps": 0.0, "max_clip_s": 0.0, **more})
