"""Penstock: recurrent sequence models of language, written as their equations."""
