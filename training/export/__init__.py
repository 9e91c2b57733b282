"""Write encoder files: of a trained model, or of a network of torchvision without training."""

from training.export.encoder import check_parity, export_encoder, head_path, save_head, spec_of

__all__ = ["check_parity", "export_encoder", "head_path", "save_head", "spec_of"]
