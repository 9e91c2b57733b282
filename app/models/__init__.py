"""What the window knows: the session, item models, and how the engine is seen."""
