"""Raw sentences to raw translations: a translator with its tokenisers, and what guides it."""
