"""From texts to the folder of a trained language model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from penstock.errors import ConfigError
from penstock.files import write_atomic
from penstock.metrics.perplexity import Perplexity
from penstock.models import store
from penstock.models.language import LanguageModel
from penstock.text import Corpus, Tokeniser, resolve, sentences
from penstock.training.evaluate import Cache, Dynamic, sentence_losses, token_losses
from penstock.training.language import LanguageSettings, build_model, build_task
from penstock.training.loop import fit
from penstock.training.progress import Progress
from penstock.training.randomness import seed_everything
from penstock.training.state import Summary

__all__ = ["LanguageRun", "Texts", "perplexity", "train_language"]

RESULTS = "results.json"


@dataclass(frozen=True)
class Texts:
    """The files of a run; each is one file or several."""

    train: Sequence[Path]
    valid: Sequence[Path]
    test: Sequence[Path] = ()

    def origin(self) -> dict[str, Any]:
        """What tells these texts from others: names and sizes."""
        return {
            part: [[file.name, file.stat().st_size] for file in resolve(list(files))]
            for part, files in (("train", self.train), ("valid", self.valid))
        }


@dataclass(frozen=True)
class LanguageRun:
    """A trained language model with all that was used and found.

    Attributes:
        results: "valid" and "test" to what that text costs under the best weights.
    """

    folder: Path
    model: LanguageModel
    tokeniser: Tokeniser
    settings: LanguageSettings
    corpora: Mapping[str, Corpus]
    summary: Summary
    results: Mapping[str, Perplexity]


def train_language(
    texts: Texts,
    settings: LanguageSettings,
    folder: Path,
    progress: Progress | None = None,
) -> LanguageRun:
    """Train a language model and leave it in ``folder``; a run found there is continued.

    Raises:
        DataError: a text cannot be used.
        ConfigError: the settings cannot work, or the folder holds another model.
    """
    shown = progress or Progress()
    _check_folder(texts, settings, folder)
    tokeniser = _tokeniser(texts, settings, folder)
    corpora = {
        part: Corpus.build(list(files), tokeniser, folder / "text", part).check_known(part)
        for part, files in (("train", texts.train), ("valid", texts.valid), ("test", texts.test))
        if files
    }
    seed_everything(settings.seed)
    model = build_model(settings, tokeniser.vocab_size)
    task = build_task(model, settings, tokeniser, corpora["train"], corpora["valid"])
    extra = {"settings": asdict(settings), "texts": texts.origin(), "penstock": version("penstock")}
    store.write_description(folder, model, extra)
    summary = fit(task, model, settings, folder, gradients=named_gradients(model), progress=shown)
    store.save_weights(folder, model)
    results: dict[str, Perplexity] = {
        part: perplexity(model, tokeniser, corpora[part], alone=settings.sentences)
        for part in ("valid", "test")
        if part in corpora
    }
    run = LanguageRun(folder, model, tokeniser, settings, corpora, summary, results)
    _write_results(run)
    return run


def perplexity(
    model: LanguageModel,
    tokeniser: Tokeniser,
    corpus: Corpus,
    *,
    alone: bool = False,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    advance: Callable[[int], None] = lambda tokens: None,
) -> Perplexity:
    """What a text costs under a model.

    Args:
        alone: read every line from the first state, instead of the text as one sequence.
        cache, dynamic, advance: see :func:`~penstock.training.evaluate.token_losses`.
    """
    statistics = corpus.statistics
    if alone:
        if cache or dynamic:
            raise ConfigError("evaluate: cache and dynamic evaluation need running text.")
        losses = _line_losses(model, tokeniser, corpus.ids, advance)
    else:
        losses = token_losses(
            model, corpus.ids, tokeniser.eos_id, cache=cache, dynamic=dynamic, advance=advance
        )
    return Perplexity(
        nats=float(losses.sum()),
        tokens=statistics.tokens,
        characters=statistics.characters,
        unknown=statistics.unknown,
        context="sentence" if alone else "text",
    )


def named_gradients(model: LanguageModel) -> Callable[[], dict[str, Tensor]]:
    """Gradients under their equations' names: ``layer0.U_f`` as well as ``embedding.weight``."""

    def gradients() -> dict[str, Tensor]:
        named = {
            name: parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and not name.startswith("recurrent.")
        }
        for layer in range(model.recurrent.num_layers):
            views = model.recurrent.weights(layer, grad=True)
            named |= {f"layer{layer}.{name}": view for name, view in views.items()}
        return named

    return gradients


def _line_losses(
    model: LanguageModel, tokeniser: Tokeniser, ids: np.ndarray, advance: Callable[[int], None]
) -> np.ndarray:
    parts = []
    for inputs, targets, lengths in sentences(ids, tokeniser.eos_id, 64, seed=0, epoch=0):
        losses = sentence_losses(model, inputs, targets, lengths)
        parts.append(losses[targets >= 0].double().numpy())
        advance(int(lengths.sum()))
    return np.concatenate(parts)


def _check_folder(texts: Texts, settings: LanguageSettings, folder: Path) -> None:
    """Refuse a folder that holds another model or something else."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; give a folder for the model.")
    if not (folder / store.DESCRIPTION).exists():
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder}: is not empty and holds no model; give another folder.")
        return
    found = store.read_description(folder)
    wanted = {"settings": asdict(settings), "texts": texts.origin()}
    free = {"epochs", "patience", "checkpoint_every", "log_every", "tensorboard"}
    changed = [
        f"{name} {found['settings'].get(name)!r} -> {value!r}"
        for name, value in wanted["settings"].items()
        if name not in free and found.get("settings", {}).get(name) != value
    ]
    if found.get("texts") != wanted["texts"]:
        changed.append("the texts")
    if changed:
        raise ConfigError(
            f"{folder}: holds another model ({'; '.join(changed)}). "
            "Give another folder, or the settings it began with to go on."
        )


def _tokeniser(texts: Texts, settings: LanguageSettings, folder: Path) -> Tokeniser:
    """The folder's tokeniser if it has one, else one learnt from the training text."""
    if (folder / "tokenizer.json").exists():
        return Tokeniser.load(folder)
    tokeniser = Tokeniser.train(
        list(texts.train),
        settings.tokens,
        vocab_size=settings.vocab_size or None,
        min_count=settings.min_count,
    )
    tokeniser.save(folder)
    return tokeniser


def _write_results(run: LanguageRun) -> None:
    """``results.json`` for programs, ``card.md`` for people."""
    results = {part: found.as_dict() for part, found in run.results.items()}
    content = {"summary": asdict(run.summary), "results": results}
    write_atomic(run.folder / RESULTS, json.dumps(content, indent=2).encode())
    write_atomic(run.folder / "card.md", card(run).encode())


def card(run: LanguageRun) -> str:
    """The model's card: what it is, what it was trained on, how good it is, how to use it."""
    model, folder = run.model, run.folder
    count = sum(parameter.numel() for parameter in model.parameters())
    statistics = run.corpora["train"].statistics
    rows = [
        f"| {part} | {found.perplexity:.2f} | {found.bits_per_character:.3f} | {found.signature} |"
        for part, found in run.results.items()
    ]
    return "\n".join(
        [
            f"# A language model: {model.program.name}",
            "",
            f"{count:,} parameters, {model.recurrent.num_layers} layers of "
            f"{', '.join(map(str, model.recurrent.hidden_sizes))} units, "
            f"{model.vocab_size:,} tokens ({run.tokeniser.kind}).",
            f"Trained on {statistics.tokens:,} tokens in {statistics.lines:,} lines, "
            f"{run.summary.epochs} epochs, best after epoch {run.summary.best_epoch}, "
            f"{run.summary.seconds:.0f} s.",
            "",
            "| text | perplexity | bits per character | definition |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "It knows only the language, topics and biases of that text.",
            "",
            f"    penstock evaluate {folder} --test FILE",
            f"    penstock generate {folder} --prompt 'the'",
            "",
        ]
    )
