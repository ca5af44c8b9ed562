"""Modules of PyTorch: recurrent layers of any cell, and what stands around them."""
