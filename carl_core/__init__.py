"""The engine of CARL: recordings, encoders, alignment, retrieval and export, without a screen."""
