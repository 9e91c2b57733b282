"""Training of encoders with the sequence contrastive loss (torch)."""
