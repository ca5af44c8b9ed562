"""Ways to run a Program over a sequence."""
