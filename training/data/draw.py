"""Which sources the batch of a step holds: a function of the run's seed and the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.config import ConfigError
from training.sampling import generator_for

if TYPE_CHECKING:
    import numpy as np

    from training.config import TrainConfig
    from training.data.sources import Source

# Stands where a step stands in the seeds of samples, and is larger than any.
_EPOCH = 1 << 40


def draw_sources(
    step: int, recordings: list[Source], simulated: list[Source], config: TrainConfig
) -> list[Source]:
    """Draw the sources of one step, recordings first.

    The simulated share of the places holds simulated pairs (rounded at random; ``draw = "epochs"``:
    to the nearest number). No source comes twice: a clip drawn twice would be its own negative. So
    with few sources there are fewer than ``batch_clips``.
    """
    data = config.data
    chance = generator_for(config.run.seed, step)
    wanted = data.simulated_share * data.batch_clips
    pairs = int(wanted) + int(chance.random() < wanted - int(wanted))
    if data.draw == "epochs":
        pairs = data.batch_clips - _recordings_per_step(config)
    if not recordings:
        pairs = data.batch_clips
    if not simulated:
        pairs = 0
    count = data.batch_clips - pairs
    if data.draw == "epochs" and recordings:
        chosen = _of_epoch(step, recordings, config)
    else:
        order = [recordings[int(i)] for i in chance.permutation(len(recordings))]
        if data.same_action and order:
            order = [one for one in order if one.action == order[0].action]
        chosen = order[:count]
    return chosen + [simulated[int(i)] for i in chance.permutation(len(simulated))[:pairs]]


def steps_per_epoch(recordings: int, config: TrainConfig) -> int:
    """Count the batches in which every recording comes once; what does not fill one is left out.

    At least 1: fewer recordings than a batch has places make a smaller batch.

    Raises
    ------
    ConfigError
        When ``data.draw`` is "epochs" and every place is taken by simulated pairs.
    """
    return max(1, recordings // _recordings_per_step(config))


def _recordings_per_step(config: TrainConfig) -> int:
    data = config.data
    count = data.batch_clips - round(data.simulated_share * data.batch_clips)
    if data.draw == "epochs" and not count and data.root:
        raise ConfigError(
            'data.draw = "epochs" passes over recordings, but data.simulated_share = '
            f"{data.simulated_share} leaves them no place in a batch of {data.batch_clips}. Lower "
            'the share, or set data.draw="random".'
        )
    return max(1, count)


def _of_epoch(step: int, recordings: list[Source], config: TrainConfig) -> list[Source]:
    count = _recordings_per_step(config)
    length = steps_per_epoch(len(recordings), config)
    epoch, place = divmod(step, length)
    chance = generator_for(config.run.seed, _EPOCH, epoch)
    order = [int(i) for i in chance.permutation(len(recordings))]
    if config.data.same_action:
        chosen = _pure_batches(chance, order, recordings, count, length)[place]
    else:
        chosen = order[place * count : (place + 1) * count]
    return [recordings[i] for i in chosen]


def _pure_batches(
    chance: np.random.Generator,
    order: list[int],
    recordings: list[Source],
    count: int,
    length: int,
) -> list[list[int]]:
    """Share an epoch's order out to ``length`` batches of one action each.

    Whole batches first. What is left of the actions makes the missing ones, the longest rests
    first, filled up with others of their action that have come before.
    """
    groups: dict[str, list[int]] = {}
    for i in order:
        groups.setdefault(recordings[i].action, []).append(i)
    whole, rests = [], []
    for group in groups.values():
        cut = len(group) - len(group) % count
        whole += [group[begin : begin + count] for begin in range(0, cut, count)]
        if cut < len(group):
            rests.append((group[cut:], group[:cut]))
    rests.sort(key=lambda rest: -len(rest[0]))  # stable: equal ones in the epoch's order
    for rest, before in rests[: length - len(whole)]:
        whole.append(rest + before[: count - len(rest)])
    return [whole[int(i)] for i in chance.permutation(len(whole))]
