"""``penstock compare --src FILE --ref FILE A B A+B``: translators and files of translations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli.translators import trained_beam
from penstock.errors import ConfigError
from penstock.progress import Watch, adding

if TYPE_CHECKING:
    from penstock.metrics import Metric, Translated
    from penstock.translation.system import System

__all__ = ["Contest", "print_table", "sizes_of_beams"]


@dataclass(frozen=True)
class Contest:
    """What is compared on which text.

    Attributes:
        names: a folder, several joined by + that translate together, or a file of translations.
        src: source sentences; needed where a name is no file.
        refs: references, one file or several.
        beams: sizes of the beams that each system searches with; as it was trained when empty.
        nbest: a list in the format of Moses, to be rescored by each system.
        watch: shows how far a long work is.
    """

    names: Sequence[str]
    src: Path | None
    refs: Sequence[Path]
    beams: Sequence[int]
    nbest: Path | None
    watch: Watch

    @cached_property
    def references(self) -> list[list[str]]:
        """Lines of each file of references."""
        from penstock.text import read_lines

        return [list(read_lines(path)) for path in self.refs]

    @cached_property
    def lines(self) -> list[str]:
        """The source sentences."""
        from penstock.text import read_pairs

        if self.src is None:
            raise ConfigError("compare: expected --src FILE, the sentences to be translated.")
        return [source for source, _ in read_pairs(self.src, self.refs[0])]

    @cached_property
    def systems(self) -> dict[str, list[System]]:
        """Those that are no files, by name; each folder is read once."""
        from penstock.translation.system import load_translator

        parts = {name: _parts(name) for name in self.names if not Path(name).is_file()}
        folders = dict.fromkeys(chain.from_iterable(parts.values()))
        loaded = {folder: load_translator(Path(folder)) for folder in folders}
        return {name: [loaded[part] for part in own] for name, own in parts.items()}

    def table(
        self, *, kind: str = "", resamples: int = 1000, figure: Path | None, folder: Path | None
    ) -> dict[str, Any]:
        """All systems compared, see :func:`penstock.metrics.compare_translated`.

        Args:
            kind: of BLEU; by default that of the first system's settings.
            resamples: texts that the bootstrap draws; ten times as many trials are made.
            figure: of BLEU by source length, if it is wanted.
            folder: where the translations are kept, if they are.
        """
        from penstock.inspect.save import check_format
        from penstock.metrics import Metric, compare_translated
        from penstock.metrics.bootstrap import check_resamples

        trained = [system.settings.get("bleu") for own in self.systems.values() for system in own]
        kind = kind or next(filter(None, trained), "bleu")
        # What is wrong is told before the long work.
        metric = Metric(kind, *self.references)
        check_resamples(resamples)
        words = [len(line.split()) for line in self.lines] if figure else []
        if figure:
            check_format(figure)
        outputs = []
        for one in self.outputs():
            outputs.append(one)
            if folder:
                _save(folder, one)
        table = compare_translated(
            outputs, *self.references, kind=kind, resamples=resamples, trials=10 * resamples
        )
        if figure:
            named = [one for one in outputs if one.name in self.names]
            table["by_length"] = _by_length(figure, named, words, metric)
        return table

    def doubt(self, table: Mapping[str, Any]) -> str:
        """What the figures may suffer from, or an empty text."""
        from penstock.metrics.translation import looks_tokenised

        if "multi-bleu" in table["signatures"] or not looks_tokenised(self.references[0]):
            return ""
        return "the references look tokenised, but BLEU expects raw text. Try --bleu multi-bleu."

    def outputs(self) -> Iterator[Translated]:
        """What each makes of the text, one after the other."""
        from penstock.metrics.translators import Translated, check_complete
        from penstock.search import by_sentence, read_nbest
        from penstock.text import read_lines
        from penstock.translation.outputs import of_list

        files = {
            name: Translated(name, list(read_lines(name)))
            for name in self.names
            if name not in self.systems
        }
        check_complete(list(files.values()), self.references[0])
        lists = []
        if self.nbest:
            lists = by_sentence(read_nbest(self.nbest), len(self.references[0]))
        for name in self.names:
            if name in files:
                yield files[name]
            else:
                beams = self.beams or [trained_beam(self.systems[name][0])]
                yield from (self._searched(name, beam) for beam in beams)
        if self.nbest:
            lines = self.lines if self.systems else []
            yield from of_list(self.nbest.name, lists, lines, self.systems, *self.references)

    def _searched(self, name: str, beam: int) -> Translated:
        from penstock.search import Beam
        from penstock.translation.outputs import searched

        with self.watch(f"{name}, beam {beam}") as told:
            return searched(
                name,
                self.systems[name],
                self.lines,
                Beam(beam),
                progress=adding(told, len(self.lines)),
            )


def sizes_of_beams(text: str) -> list[int]:
    """
    >>> sizes_of_beams("1,2,12")
    [1, 2, 12]
    >>> sizes_of_beams("")
    []
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise ConfigError(f"compare: expected sizes of beams as 1,2,12, got {text!r}.")
    return [int(part) for part in parts]


def print_table(table: dict[str, Any]) -> None:
    """The rows in columns, and what they mean."""
    from penstock.metrics.translation import KINDS

    rows, kinds = table["rows"], list(table["signatures"])
    width = max(len("system"), *(len(row["system"]) for row in rows))
    scores = "".join(f"{KINDS[kind].name:>9}" for kind in kinds[1:])
    print(
        f"{'system':{width}}{'beam':>6}{KINDS[kinds[0]].name:>9}{'interval':>18}{'p':>8}{scores}"
        f"{'parameters':>14}{'sentences/s':>13}"
    )
    for place, row in enumerate(rows):
        low, high = row["interval"]
        scores = "".join(f"{row['scores'][kind]:9.2f}" for kind in kinds[1:])
        print(
            f"{row['system']:{width}}{_shown(row['beam']):>6}{row['scores'][kinds[0]]:9.2f}"
            f"{f'{low:.2f} - {high:.2f}':>18}{_chance(row, place == table['best']):>8}{scores}"
            f"{_shown(row['parameters']):>14}{_shown(row['sentences_per_second']):>13}"
        )
    for kind, signature in table["signatures"].items():
        print(f"{KINDS[kind].name}|{signature}")
    print(table["chance"])
    if "by_length" in table:
        _print_lengths(table["by_length"])


def _chance(row: dict[str, Any], is_best: bool) -> str:
    if row["p_value"] is not None:
        return f"{row['p_value']:.3f}" if row["p_value"] >= 0.001 else "<0.001"
    return "best" if is_best else "-"


def _shown(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"


def _parts(name: str) -> list[str]:
    """The folders of an ensemble; a folder may have a + in its name."""
    return [name] if Path(name).is_dir() else name.split("+")


def _save(folder: Path, one: Translated) -> None:
    """Keep the translations of one system."""
    from penstock.files import write_atomic

    name = re.sub(r"[^\w.+-]+", "-", one.name).strip("-")
    beam = f".beam{one.beam}" if one.beam else ""
    write_atomic(folder / f"{name}{beam}.txt", "".join(f"{hyp}\n" for hyp in one.hyps).encode())


def _by_length(
    path: Path, outputs: Sequence[Translated], words: Sequence[int], metric: Metric
) -> dict[str, Any]:
    """The systems, with their largest beam, by the length of the source in words, drawn too."""
    from penstock.inspect.lengths import score_by_length
    from penstock.inspect.save import save
    from penstock.metrics import by_length
    from penstock.metrics.lengths import kept_by_longest

    beam = max((one.beam for one in outputs if one.beam), default=None)
    shown = {one.name: one.hyps for one in outputs if one.beam in (None, beam)}
    found = {name: by_length(metric, hyps, words) for name, hyps in shown.items()}
    save(score_by_length(found, metric.kind.name), path)
    kept = kept_by_longest(metric, shown, words)
    return {
        name: {"ranges": list(map(asdict, ranges)), **asdict(kept[name])}
        for name, ranges in found.items()
    }


def _print_lengths(systems: Mapping[str, Any]) -> None:
    """The score of each range, and what the longest keep of the shortest's."""
    width = max(map(len, systems))
    ranges = next(iter(systems.values()))["ranges"]
    spans = "".join(f"{'{low}-{high}'.format(**one):>9}" for one in ranges)
    print(f"{'words':{width}}{spans}{'last/first':>12}{'interval':>16}{'p':>8}")
    for name, one in systems.items():
        scores = "".join(f"{span['score']:9.2f}" for span in one["ranges"])
        low, high = one["interval"]
        kept = f"{one['share']:12.2f}{f'{low:.2f} - {high:.2f}':>16}{_chance(one, True):>8}"
        print(f"{name:{width}}{scores}{kept}")
