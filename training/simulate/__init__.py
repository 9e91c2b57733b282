"""Articulated figures doing random actions, with ground-truth time and joints for every frame.

Import from the module that defines:

- ``clip``: ``simulate_pair``, ``simulate_pairs``, ``random_view``, ``render_clip``,
  ``SimulatedClip``
- ``motion``: ``random_action``, ``pose_at``, ``Action``, ``Warp``
- ``phrases``: ``FAMILIES``, ``HELD_OUT_FAMILIES``, ``TRAINING_FAMILIES``
- ``skeleton``: ``JOINT_NAMES`` (the first 17 in COCO order)
"""
