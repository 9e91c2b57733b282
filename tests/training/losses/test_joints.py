"""Losses of joints."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from training.losses import joint_map_loss, joint_regression_loss  # noqa: E402

pytestmark = pytest.mark.torch


def test_unknown_joints_do_not_count() -> None:
    joints = torch.zeros(2, 3, 2)
    predicted = torch.zeros(2, 3, 2)
    predicted[0, 0] = 1.0
    known = torch.ones(2, 3, dtype=torch.bool)
    assert float(joint_regression_loss(predicted, joints, known)) > 0
    known[0, 0] = False
    joints[0, 0] = math.nan
    assert float(joint_regression_loss(predicted, joints, known)) == 0.0


def test_a_map_that_does_not_know_costs_one_and_the_right_cell_nothing() -> None:
    logits = torch.zeros(1, 2, 4, 5)
    points = torch.tensor([[[0.5, 0.6], [0.99, 0.0]]])  # cells (row 2, column 2), (0, 4)
    known = torch.ones(1, 2, dtype=torch.bool)
    assert float(joint_map_loss(logits, points, known)) == pytest.approx(1.0)
    logits[0, 0, 2, 2] = logits[0, 1, 0, 4] = 100.0
    assert float(joint_map_loss(logits, points, known)) == pytest.approx(0.0, abs=1e-6)
    assert float(joint_map_loss(-logits, points, ~known)) == 0.0
