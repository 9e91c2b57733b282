"""What a training run is made of. Every value here can be set from a TOML file or by ``--set``.

``TrainConfig`` is a tree of frozen dataclasses, one per section of the TOML file. A key that is not
a field is an error that lists the fields there are.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

BACKBONES = ("light", "mobilenet_v3_small", "resnet18", "resnet50", "encoder")
POSITIONS = ("relative", "seconds", "none", "carl")
POOLINGS = ("grid", "attention", "max")
NORMS = ("layer", "batch")
FREEZES = ("none", "early", "earlier", "all")
WEIGHTS_FORMATS = ("auto", "torchvision", "byol", "moco", "simclr")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of the encoder: trunk per frame, head over time, projection for training.

    Attributes
    ----------
    backbone : "light" (our lean dense-convolution net), a torchvision network, or "encoder": the
        trunk of an exported encoder file, whose features are computed once (``data.looks``);
        ``image_size`` must be that file's, tokens and ``token_dim`` come from it
    weights : file with weights for the backbone, "" = from scratch, "download" = the published
        ImageNet weights of a torchvision network; for "encoder" the file, "bundled" = ours
    weights_format : of a ResNet-50 file: "torchvision", "byol", "moco", "simclr", "auto" = by name
    freeze : "none"; "early" = all but the last stage stays as loaded (no gradient, eval mode);
        "earlier" = all but the last two stages (ResNet only; published LAYER = 2);
        "all" = the whole backbone stays as loaded (the pooling to tokens still learns)
    freeze_norm : batch norms stay in evaluation mode
    frames_per_batch : frames of each clip that pass the trunk together, so that batch norm sees
        them together (published 40); 0 = all
    image_size : side S of the square input in pixels
    pooling : "grid" = means over a regular grid of cells, "attention" = learned spatial weights,
        "max" = one maximum over the picture (published; ``tokens`` must be 1)
    tokens : spatial tokens per frame, a square number for "grid"
    token_dim : channels per token; 0 = the backbone's own channels, without a linear layer
    centre : take each clip's mean off its features: what stays the same all along (place, clothes,
        camera) then cannot act; a single picture has no embedding then
    plain : dimensions of a fixed random projection of the frame's own features that stands beside
        what is learned; 0 = none
    learned_weight : length of what is learned beside the projection, which has length 1. The
        features of one recording differ little beside what they share, so it is to be small
    motion : give the head the change of the features around each frame as well
    norm : normalisation in frame MLP and projection: "layer", or "batch" = the whole published head
        (also no norm before and after the transformer, layers that start as copies of one, and a
        projection of embeddings before they have unit length)
    layers, width, heads, ffn : temporal transformer
    dim : size of what is learned, the embedding but for ``plain``
    projection : hidden and output width of the projection head (training only)
    dropout : everywhere the published model has it
    position : "relative" = bias on time differences in units of the clip's median step,
        "seconds" = rotation of queries and keys by time in seconds, scaled at random for each
        view in training: only differences act, "none", "carl" = published sinusoid stretched over
        the clip (a clock: marked in the file)
    position_scale : "seconds" is scaled by up to this factor either way in training
    train_frames : T of the training clips; "carl" stretches its positions to it
    """

    backbone: str = "light"
    weights: str = ""
    weights_format: str = "auto"
    freeze: str = "none"
    freeze_norm: bool = False
    frames_per_batch: int = 0
    image_size: int = 112
    pooling: str = "grid"
    tokens: int = 9
    token_dim: int = 48
    centre: bool = False
    plain: int = 0
    learned_weight: float = 0.15
    motion: bool = True
    norm: str = "layer"
    layers: int = 2
    width: int = 192
    heads: int = 6
    ffn: int = 512
    dim: int = 128
    projection: int = 128
    dropout: float = 0.1
    position: str = "relative"
    position_scale: float = 4.0
    train_frames: int = 80

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("backbone", self.backbone, BACKBONES),
            ("freeze", self.freeze, FREEZES),
            ("pooling", self.pooling, POOLINGS),
            ("norm", self.norm, NORMS),
            ("position", self.position, POSITIONS),
            ("weights_format", self.weights_format, WEIGHTS_FORMATS),
        ):
            if value not in allowed:
                raise ValueError(f"model.{name} = {value!r}: must be one of {', '.join(allowed)}")
        for name in ("image_size", "tokens", "width", "heads", "ffn", "dim", "projection"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} = {getattr(self, name)}: must be at least 1")
        counts = (self.layers, self.token_dim, self.frames_per_batch, self.plain)
        if min(counts) < 0 or self.train_frames < 1:
            raise ValueError(
                "model.layers, token_dim, frames_per_batch and plain must not be negative"
            )
        if not self.learned_weight > 0:
            raise ValueError(f"model.learned_weight = {self.learned_weight}: must be positive")
        if self.position_scale < 1:
            raise ValueError(f"model.position_scale = {self.position_scale}: must be at least 1")
        if self.backbone == "encoder" and self.freeze != "all":
            raise ValueError("model.backbone = 'encoder' goes with model.freeze = 'all'")
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of {self.heads} heads")
        if self.pooling == "grid" and round(self.tokens**0.5) ** 2 != self.tokens:
            raise ValueError(f"model.tokens = {self.tokens} must be a square number for a grid")
        if self.pooling == "max" and self.tokens != 1:
            raise ValueError(f"model.tokens = {self.tokens} must be 1 for max pooling")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout = {self.dropout} must lie in [0, 1)")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Where a run lives and how long it is.

    Attributes
    ----------
    dir : folder of checkpoints, events and the exported encoder; a run found there is resumed
    start_from : checkpoint, or run folder, whose trunk and joint regressor a new run begins with
        (the head starts anew); "" = random
    steps : optimiser steps in all
    epochs : passes over the recordings; above 0 it decides ``steps``
    accumulate : batches whose gradients are added up before an optimiser step
    seed : of everything random
    threads : CPU threads of torch, 0 = torch's own choice
    device : "auto" (GPU when there is one), "cpu" or "cuda"
    precision : "float32" or "bfloat16" (autocast)
    log_every, evaluate_every, checkpoint_every : in steps; 0 = only at the end
    keep : number of checkpoints kept
    export : write the encoder file at the end
    tensorboard : write curves for TensorBoard into the run folder
    """

    dir: str = "runs/train"
    start_from: str = ""
    steps: int = 1000
    epochs: int = 0
    accumulate: int = 1
    seed: int = 1
    threads: int = 0
    device: str = "auto"
    precision: str = "float32"
    log_every: int = 10
    evaluate_every: int = 0
    checkpoint_every: int = 250
    keep: int = 2
    export: bool = True
    tensorboard: bool = True


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What is trained on.

    Attributes
    ----------
    kind : layout below ``root``: "folder" of videos, or a published data set in the layout of the
        official code: "penn_action", "pouring", "finegym99", "finegym288", "kinetics400"
    root : folder of videos (searched through its subfolders), "" = none
    split : "train" or "val" of a published data set
    additional : FineGym: also the events without labels
    labels : folder: CSV ``recording,name,start_s,end_s`` of phases, "" = none
    draw : "random" = every step draws its recordings anew; "epochs" = every recording once per
        epoch, in an order of its own (published)
    same_action : the recordings of a batch all show one action, where actions are known
    manifest : CSV in that folder with a column ``file``; rows with a non-empty cell in a column of
        ``exclude_columns`` are left out, "" = every video counts
    exclude_columns : see ``manifest``
    skip_unreadable : go on with the other videos when some cannot be read
    max_fps : videos are sampled at this rate at most, 0 = every frame (published)
    max_clip_s : seconds of each video that are used, from its beginning, 0 = all
    size : side of decoded pictures before a look is applied; 0 = somewhat above the input's,
        -1 = as filmed (published)
    cache : keep decoded pictures as bytes on disk; else each batch decodes the frames it shows
    looks : trunk features of this many looks of each recording are computed once and drawn from;
        0 = every batch computes its own. Needs ``model.freeze = "all"``
    looks_seed : of these looks; runs with other seeds share what is stored
    cache_dir : folder for decoded frames, "" = in the run folder
    cache_mib : upper bound of decoded frames in memory; videos beyond it are left out
    backgrounds : folder with tar files of pictures that stand behind simulated figures, "" = none
    pairs : the two views of a simulated action come from two of its takes (other body, camera and
        speed); false = every take is a recording of its own (published)
    simulated_share : share of a batch that is simulated pairs, 0..1
    simulated_actions : actions in the bank of rendered clips
    simulated_views : bodies and cameras per action
    simulated_frames : frames per rendered clip
    simulated_seed : first seed of the bank; the evaluation uses seeds far away from it
    batch_clips : pairs of views per step, each of another source (fewer when there are fewer)
    workers : threads that prepare batches ahead
    """

    kind: str = "folder"
    root: str = ""
    split: str = "train"
    additional: bool = False
    labels: str = ""
    draw: str = "random"
    same_action: bool = False
    manifest: str = ""
    exclude_columns: tuple[str, ...] = ()
    skip_unreadable: bool = True
    max_fps: float = 30.0
    max_clip_s: float = 60.0
    size: int = 0
    cache: bool = True
    looks: int = 0
    looks_seed: int = 1
    cache_dir: str = ""
    cache_mib: int = 4096
    backgrounds: str = ""
    pairs: bool = True
    simulated_share: float = 0.0
    simulated_actions: int = 64
    simulated_views: int = 2
    simulated_frames: int = 96
    simulated_seed: int = 1
    batch_clips: int = 4
    workers: int = 1


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How two views are cut out of one recording in time.

    Attributes
    ----------
    frames : T, frames of one view
    strategy : "crops" = ours, in seconds; in frames and as published: "published" (a block of
        ratio * T frames: FineGym), "published_length" (ratio * L: the other data sets, where the
        offset is always 0), "uniform" (a sorted random subset of the whole recording)
    max_ratio : a view spans T to ``max_ratio * T`` steps, of which a random subset of T is shown
        (the published alpha; 1 = evenly spaced)
    min_overlap : share of the shorter view's span that both views show at least (published beta)
    min_step_s, max_step_s : seconds between samples, drawn log-uniformly for each clip
    max_speed : the two views' steps differ by up to this factor
    sigma_unit : "share" = times in units of the mean span of the two views, "frames" = in units of
        the mean step, "seconds"
    """

    frames: int = 32
    strategy: str = "crops"
    max_ratio: float = 1.5
    min_overlap: float = 0.5
    min_step_s: float = 0.033
    max_step_s: float = 0.2
    max_speed: float = 2.0
    sigma_unit: str = "share"


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How a view is changed in space; one draw per view, the same for all its frames.

    Attributes
    ----------
    recipe : "fixed" = ours; "published" = the steps of the official code in their order
    shared_flip : both views of a pair are mirrored, or neither; false = each on its own (published)
    min_area, max_area : share of the picture that is shown; above 1 it shrinks, with its edges
        drawn out around it
    max_aspect : sides of the crop are stretched against each other by up to this factor
    flip : probability of a mirror image
    jitter : "published": probability that brightness, contrast, saturation, hue and blur act at all
    brightness, contrast, saturation : factors within 1 plus or minus this
    hue : turn of the hue, in shares of the circle
    grey : probability of a grey picture
    blur : probability of a blur
    noise : largest standard deviation of the noise, in units of full scale
    cutout : probability of a covered rectangle
    """

    recipe: str = "fixed"
    shared_flip: bool = True
    min_area: float = 0.5
    max_area: float = 1.0
    max_aspect: float = 1.33
    flip: float = 0.5
    jitter: float = 1.0
    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.1
    grey: float = 0.2
    blur: float = 0.3
    noise: float = 0.04
    cutout: float = 0.2


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised.

    Attributes
    ----------
    name : "scl", "tcc", "tcn", "lav" or "classification" (frames' phase labels)
    use_projection : compare projections (published for SCL); false = the embeddings themselves
    gather : with several processes, the loss sees the whole global batch
    temperature, sigma, epsilon, negatives, own_view, reach : of ``sequence_contrastive_loss``;
        ``sigma`` in the sampling's ``sigma_unit``, ``reach`` 0 = every row counts
    sigma_start, sigma_steps : sigma falls from ``sigma_start`` times its value to its value over
        this many steps; 1 = it does not
    cross_weight : of positives between recordings (``cross_video_loss``), 0 = none
    cross_start : first step with such positives
    cross_margin : by how much a mutual nearest neighbour must beat the second moment
    tcc_kind : "regression_mse_var", "regression_mse", "regression_huber" or "classification"
    tcc_temperature, tcc_variance, tcc_smoothing, tcc_huber : of ``cycle_consistency_loss``
    tcn_reach, tcn_temperature, tcn_l2 : of ``n_pairs_loss``: steps between anchor and positive,
        divides the similarity, weight of the embeddings' length
    lav_gamma, lav_margin, lav_sigma, lav_alpha : of ``alignment_loss``; sigma in steps of the view
    pose_map_weight : of the joints' cells in the trunk's last map, simulated frames only
    pose_weight : of the joints regressed from the features of single simulated frames
    pose_embedding_weight : of the same from the embeddings
    """

    name: str = "scl"
    use_projection: bool = True
    gather: bool = True
    temperature: float = 0.1
    sigma: float = 0.03
    epsilon: float = 0.0
    negatives: str = "single"
    own_view: bool = False
    reach: float = 3.0
    sigma_start: float = 1.0
    sigma_steps: int = 0
    cross_weight: float = 0.0
    cross_start: int = 0
    cross_margin: float = 0.05
    tcc_kind: str = "regression_mse_var"
    tcc_temperature: float = 0.1
    tcc_variance: float = 0.001
    tcc_smoothing: float = 0.1
    tcc_huber: float = 0.1
    tcn_reach: int = 5
    tcn_temperature: float = 1.0
    tcn_l2: float = 0.0005
    lav_gamma: float = 0.1
    lav_margin: float = 2.0
    lav_sigma: float = 10.0
    lav_alpha: float = 0.5
    pose_map_weight: float = 0.0
    pose_weight: float = 0.0
    pose_embedding_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """How weights move.

    Attributes
    ----------
    name : "adamw" = decoupled decay on matrices and kernels only; "adam" = L2 coupled into the
        gradient of everything (published)
    schedule : "cosine" = down to ``final_rate`` at the last step; "cosine_epochs" = changes once
        per epoch, T_max = epochs + 1, no step on the last epoch (published)
    rate, final_rate : learning rate at the end of the warm-up and of the run
    weight_decay : see ``name``
    warmup_steps : linear from 0
    clip_norm : largest norm of the gradient
    """

    name: str = "adamw"
    schedule: str = "cosine"
    rate: float = 1e-3
    final_rate: float = 1e-5
    weight_decay: float = 0.05
    warmup_steps: int = 100
    clip_norm: float = 5.0


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """The known-warp test on simulated actions that training never draws.

    Attributes
    ----------
    actions : pairs of clips, 0 = no evaluation
    seed : first seed; must lie outside the bank's seeds
    """

    actions: int = 0
    seed: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What the exported file says about itself (``carl_core.encoder.spec``)."""

    name: str = "carl"
    fit: str = "squash"
    sample_fps: float = 10.0
    window_frames: int = 64
    overlap_frames: int = 32
    licence: str = "MIT"
    data: str = "not stated"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All of it."""

    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    export: ExportConfig = field(default_factory=ExportConfig)

    def to_json(self) -> dict[str, Any]:
        """Sections as plain dictionaries."""
        return dataclasses.asdict(self)

    @property
    def digest(self) -> str:
        """16 hex digits that change with any value except where the run lives."""
        values = self.to_json()
        del values["run"]["dir"]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
