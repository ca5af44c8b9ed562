"""Side-by-side speed and memory, one command each."""
