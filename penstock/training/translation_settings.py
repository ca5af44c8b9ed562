"""The settings of a translator; nothing here needs PyTorch, so that help is quick."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import ConfigError
from penstock.training.cell_settings import TOKENS, CellSettings
from penstock.training.settings import ALWAYS, beginning, option

__all__ = [
    "ATTENTIONS",
    "CHOICES",
    "FIRST_STATES",
    "FORMS",
    "METRICS",
    "PRETOKENISE",
    "TYINGS",
    "TranslationSettings",
]

ATTENTIONS = ("none", "additive", "dot", "general", "location")
"""None, and those of :data:`penstock.layers.attention.ATTENTIONS`."""
FORMS = ("before", "conditional", "after")
"""Those of :data:`penstock.layers.attention.FORMS`."""
FIRST_STATES = ("zero", "last", "mean", "bridge")
"""Those of :data:`penstock.models.translator.architecture.FIRST_STATES`."""
TYINGS = ("none", "source-target", "output", "all")
"""Those of :data:`penstock.models.translator.architecture.TYINGS`."""
PRETOKENISE = ("moses", "none", "marks")
"""Those of :class:`penstock.text.preparation.Preparation`."""
CHOICES = ("bleu", "perplexity")
"""What decides which epoch is best."""
METRICS = ("bleu", "bleu-lc", "multi-bleu")
"""The kinds of BLEU among :data:`penstock.metrics.translation.KINDS`."""


@dataclass(frozen=True, kw_only=True)
class TranslationSettings(CellSettings):
    """Everything that makes a translator: text, model, regularisers, training.

    The defaults follow a small system for 30,000 pairs (Caglayan et al. 2017, the text-only
    baseline of LIUM-CVC): GRU, conditional decoder, additive attention.
    """

    cell: str = option("gru", "the encoder's cell: of the zoo, or equations")
    decoder_cell: str = option("", "the decoder's cell (empty: as the encoder's)")
    hidden: str = beginning(CellSettings, "hidden", "256")
    layers: int = option(1, "layers of encoder and decoder", minimum=1)
    embedding: int = beginning(CellSettings, "embedding", 128)
    shared: bool = option(False, "both sides have one set of recurrent weights")
    reads_words: bool = option(True, "the decoder reads the word before")
    reads_summary: bool = option(
        False, "the decoder reads the encoder's last output c = h_T at every step"
    )
    bidirectional: bool = option(True, "the encoder reads in both directions")
    reverse: bool = option(False, "the encoder reads from the last word to the first")
    first_state: str = option(
        "mean", "the decoder's first state, from the encoder's", choices=FIRST_STATES
    )
    attention: str = option("additive", "how source words are weighed", choices=ATTENTIONS)
    form: str = option(
        "conditional", "when a step attends: before, between or after its cells", choices=FORMS
    )
    feeding: bool = option(False, "the next step reads what was attended (form after)")
    coverage: bool = option(False, "energies know the attention each word has had (additive)")
    coverage_loss: float = option(0.0, "weight of attending to a word again in the loss", minimum=0)
    copying: bool = option(False, "words may be copied from the source (pointer)")
    readout: bool = option(True, "a layer over state, context and word before the softmax")
    tying: str = option("none", "embeddings and output that are one matrix", choices=TYINGS)
    source_vectors: str = option("", "file with word vectors to begin with, source")
    target_vectors: str = option("", "file with word vectors to begin with, target")
    dropout: float = option(0.0, "dropout between layers", share=1)
    embedding_dropout: float = option(0.3, "dropout of word vectors' units", share=1)
    context_dropout: float = option(0.5, "dropout of annotations' units", share=1)
    output_dropout: float = option(0.5, "dropout of what the softmax reads", share=1)
    source_word_dropout: float = option(0.0, "dropout of whole words, source", share=1)
    target_word_dropout: float = option(0.0, "dropout of whole words, target", share=1)
    bpe_dropout: float = option(0.0, "dropout of merges in training (tokens bpe)", share=1)
    smoothing: float = option(0.0, "label smoothing", share=1)
    scheduled_sampling: float = option(
        0.0, "share of the model's own words it reads in training, at the end", share=1
    )
    guided: float = option(0.0, "weight of given word alignments in the loss", minimum=0)
    risk: int = option(0, "samples of a sentence for minimum-risk training (0: none)", minimum=0)
    risk_after: int = option(0, "epochs of cross entropy before minimum risk", minimum=0)
    tokens: str = option("bpe", "what a token is", choices=TOKENS)
    vocab_size: int = beginning(CellSettings, "vocab_size", 10_000)
    joint: bool = option(True, "one vocabulary for both sides")
    lowercase: bool = option(False, "the text in lower case")
    pretokenise: str = option(
        "moses", "how words and marks are parted before, and joined after", choices=PRETOKENISE
    )
    normalise: bool = option(False, "typographic quotes and dashes made plain")
    languages: str = option("en,en", "source and target, as de,en, for the rules of moses")
    max_length: int = option(100, "longest sentence trained on, in tokens", minimum=1)
    drop_duplicates: bool = option(False, "a pair that was there before is left out")
    max_ratio: float = option(9.0, "largest ratio of lengths trained on", above=1)
    batch_size: int = option(32, "pairs of a batch", minimum=1)
    batch_tokens: int = option(0, "tokens of a batch, padding counted (0: by pairs)", minimum=0)
    choose: str = option("bleu", "what decides which epoch is best", choices=CHOICES)
    bleu: str = option(
        "bleu", "which BLEU: of raw text, lowercased, or of tokenised text", choices=METRICS
    )
    valid_pairs: int = option(0, "validation pairs translated after each epoch (0: all)", minimum=0)
    valid_beam: int = option(1, "beam of these translations", minimum=1)
    beam: int = option(5, "beam of the translations measured in the end", minimum=1, free=ALWAYS)
    lr: float = beginning(CellSettings, "lr", 0.0004)
    clip_norm: float = beginning(CellSettings, "clip_norm", 1.0)
    patience: int = beginning(CellSettings, "patience", 10)
    epochs: int = beginning(CellSettings, "epochs", 100)

    def __post_init__(self) -> None:
        super().__post_init__()
        if faults := [words for wrong, words in self._conflicts() if wrong]:
            raise ConfigError(f"TranslationSettings: {' '.join(faults)}")

    @property
    def language_pair(self) -> tuple[str, ...]:
        """Source and target, as two letters each."""
        return tuple(part.strip() for part in self.languages.split(","))

    def _conflicts(self) -> list[tuple[bool, str]]:
        """Whether settings contradict each other, and what to say."""
        attends = self.attention != "none"
        tied = self.tying in ("source-target", "all")
        of_words = [
            name
            for name in ("target_vectors", "target_word_dropout", "scheduled_sampling")
            if getattr(self, name)
        ]
        needs = [n for n in ("copying", "guided", "coverage", "coverage_loss") if getattr(self, n)]
        return [
            (
                not attends and bool(needs),
                f"expected an attention with {', '.join(needs)}, got attention='none'.",
            ),
            (
                tied and not self.joint,
                f"expected joint with tying={self.tying!r}: one vocabulary for one matrix.",
            ),
            (
                self.bpe_dropout > 0 and self.tokens != "bpe",
                f"expected tokens='bpe' with bpe_dropout, got tokens={self.tokens!r}.",
            ),
            (
                self.bpe_dropout > 0 and self.guided > 0,
                "expected bpe_dropout or guided: links are of tokens that stay as they are.",
            ),
            (
                self.shared and attends,
                "expected attention='none' with shared, whose two sides are one network.",
            ),
            (
                attends and len(set(self.hidden_sizes)) > 1,
                f"expected layers of one width with attention, got hidden={self.hidden!r}.",
            ),
            (
                [len(language) for language in self.language_pair] != [2, 2],
                f"expected languages as two of two letters, as de,en, got {self.languages!r}.",
            ),
            (
                self.feeding and (not attends or self.form != "after"),
                "expected feeding with an attention of form 'after'.",
            ),
            (
                self.risk == 1,
                "expected risk of 2 samples at least, got risk=1.",
            ),
            (
                self.risk_after > 0 and not self.risk,
                f"expected risk with risk_after={self.risk_after}, a number of samples.",
            ),
            (
                bool(of_words) and not self.reads_words,
                f"expected reads_words with {', '.join(of_words)}: the decoder reads no word.",
            ),
        ]
