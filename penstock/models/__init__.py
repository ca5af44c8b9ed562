"""Systems as PyTorch modules made of layers; they know nothing of files or training."""
