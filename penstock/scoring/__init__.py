"""What a text costs under any language model, alone or mixed with others."""
