"""ARPA files: KenLM's known scores, the habits of other programs, and files that are wrong."""

from __future__ import annotations

import gzip
import warnings
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.counting import NGramModel
from penstock.errors import DataError, PenstockError
from tests.data import data

LN10 = np.log(10)
SMALL = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-0.5\t</s>
-99\t<s>\t-0.25
-1.5\t<unk>
-0.3\ta\t-0.125

\\2-grams:
-0.2\t<s> a
-0.1\ta </s>

\\end\\
"""


def read(folder, text, name="x.arpa"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return NGramModel.load(path)


def log10_p(model, history, word):
    """log10 p of a word after a history that may begin with <s>."""
    v, words = model.vocabulary, history.split()
    state = model.start(sentence=words[:1] == ["<s>"])
    for id in v.encode(" ".join(words[words[:1] == ["<s>"] :])):
        state = model.advance(np.array([id]), state)
    return model.distribution(state)[0, v.encode(word)[0] if word != "</s>" else 0] / LN10


def test_every_score_of_kenlm():
    """The queries of KenLM's own tests, as its developers wrote them down."""
    model = NGramModel.load(data("arpa-kenlm/test.arpa"))
    rows = data("arpa-kenlm/queries.tsv").read_text().splitlines()[1:]
    assert len(rows) == 44
    for row in rows:
        _, history, word, _, expected = row.split("\t")
        assert log10_p(model, history, word) == pytest.approx(float(expected), abs=2e-5), row


def test_a_model_without_unk():
    """KenLM gives unknown words log10 p = -100."""
    model = NGramModel.load(data("arpa-kenlm/test_nounk.arpa"))
    assert log10_p(model, "", "not_there") == pytest.approx(-100)
    assert log10_p(model, "looking", "not_there") == pytest.approx(-100.4771212)


def test_a_model_without_unk_scores_the_same_when_converted(tmp_path):
    """What it gives unknown words is a small probability, and no 0, in every format."""
    model = NGramModel.load(data("arpa-kenlm/test_nounk.arpa"))
    model.save(tmp_path / "a.ngram")
    NGramModel.load(tmp_path / "a.ngram").save(tmp_path / "b.arpa")
    for again in (NGramModel.load(tmp_path / name) for name in ("a.ngram", "b.arpa")):
        assert again.score("looking not_there on") == model.score("looking not_there on") > -np.inf


@pytest.mark.parametrize(
    ("written", "log_p"),
    [("-99", -np.inf), ("-99.0", -np.inf), ("-inf", -np.inf), ("-1e99", -np.inf), ("-98.5", -98.5),
     ("-99.5", -99.5), ("-100", -100), ("-1234", -1234)],
)  # fmt: skip
def test_only_99_and_infinity_stand_for_zero(tmp_path, written, log_p):
    model = read(tmp_path, SMALL.replace("-0.3\ta", f"{written}\ta"))
    assert model.levels[0].log_p[model.vocabulary.ids["a"]] == log_p


@pytest.mark.parametrize("name", ["test", "toy0", "toy1"])
def test_entries_survive_reading_and_writing(name, tmp_path):
    """ARPA to binary to ARPA: the same n-grams with the same numbers."""
    path = data(f"arpa-kenlm/{name}.arpa")
    NGramModel.load(path).save(tmp_path / "a.ngram")
    NGramModel.load(tmp_path / "a.ngram").save(tmp_path / "b.arpa")
    assert entries(tmp_path / "b.arpa") == entries(path)
    NGramModel.load(tmp_path / "b.arpa").save(tmp_path / "c.arpa.gz")
    assert (
        gzip.decompress((tmp_path / "c.arpa.gz").read_bytes()) == (tmp_path / "b.arpa").read_bytes()
    )


def entries(path):
    """Every n-gram with its numbers; what an absent backoff means is written out."""
    found = Counter()
    for line in path.read_text().splitlines():
        if "\t" in line:
            p, words, *backoff = line.split("\t")
            start = -99 if words == "<s>" else np.float32(p)  # it is never predicted
            found[words, start, np.float32(backoff[0] if backoff else 0)] += 1
    return found


def test_written_numbers_are_read_back_to_the_bit(model, tmp_path):
    model.save(tmp_path / "a.arpa")
    again = NGramModel.load(tmp_path / "a.arpa")
    assert again.vocabulary.words == model.vocabulary.words
    for one, other in zip(model.levels, again.levels, strict=True):
        for name in ("prefix", "word", "log_p", "backoff"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


HABITS = {
    "comments first": "# made by hand\n\n" + SMALL,
    "windows lines": SMALL.replace("\n", "\r\n"),
    "spaces for tabs": SMALL.replace("\t", " "),
    "no blank lines": SMALL.replace("\n\n", "\n"),
    "byte order mark": "\ufeff" + SMALL,
    "large unk": SMALL.replace("<unk>", "<UNK>"),
    "zero backoffs": SMALL.replace("</s>\n-99", "</s>\t0\n-99").replace("a </s>", "a </s>\t-0.0"),
    "other notation": SMALL.replace("-0.2\t", "-2e-1\t"),
    "no last line end": SMALL.rstrip("\n"),
    "start at 0": SMALL.replace("-99\t<s>", "0\t<s>"),
    "other order": SMALL.replace("-0.2\t<s> a\n-0.1\ta </s>", "-0.1\ta </s>\n-0.2\t<s> a"),
}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("name", ["x.arpa", "x.arpa.gz"])
def test_habits_of_other_programs(tmp_path, habit, name):
    text = HABITS[habit].encode()
    model = read(tmp_path, gzip.compress(text) if name.endswith("gz") else text, name)
    assert model.score("a") == pytest.approx(-0.3)
    assert model.score("b") == pytest.approx(-0.25 - 1.5 - 0.5)


def test_a_log_probability_above_zero_is_zero(tmp_path):
    line = SMALL[: SMALL.index("-0.1\ta")].count("\n") + 1
    with pytest.warns(UserWarning, match=f"x.arpa:{line}: log probabilities above 0 are read as 0"):
        model = read(tmp_path, SMALL.replace("-0.1\ta", "0.1\ta"))
    assert model.score("a") == pytest.approx(-0.2)


def test_a_missing_beginning_gets_what_backing_off_gives(tmp_path):
    """The trigram a b a is listed, the bigram a b is not."""
    text = SMALL.replace("ngram 1=4", "ngram 1=5").replace("ngram 2=2", "ngram 2=2\nngram 3=1")
    text = text.replace("-0.3\ta", "-0.7\tb\n-0.3\ta").replace(
        "\\end\\", "\\3-grams:\n-0.05\ta b a\n\n\\end\\"
    )
    model = read(tmp_path, text)
    assert model.sizes == [5, 3, 1]
    assert log10_p(model, "a", "b") == pytest.approx(-0.125 - 0.7)
    assert log10_p(model, "a b", "a") == pytest.approx(-0.05)
    assert log10_p(model, "a b", "</s>") == pytest.approx(-0.5)


def test_words_of_any_bytes(tmp_path):
    """White space beyond ASCII, and bytes that are no UTF-8, belong to a word."""
    text = SMALL.encode().replace(b"\ta", b"\tx\xa0y\xff").replace(b" a", b" x\xa0y\xff")
    text = text.replace(b"\ta </s>", b"\tx\xa0y\xff </s>")
    model = read(tmp_path, text)
    model.save(tmp_path / "y.arpa")
    assert b"x\xa0y\xff </s>" in (tmp_path / "y.arpa").read_bytes()


WRONG = {
    "no data": ("hello\n", "x.arpa:1: expected \\data\\, got 'hello'. Is it an ARPA file?"),
    "nothing": ("", "x.arpa:0: expected 'ngram 1='"),
    "irstlm": ("iARPA\n", "IRSTLM's own format: convert it"),
    "order missing": (SMALL.replace("ngram 2", "ngram 3"), ":3: expected 'ngram 2=', got 'ngram 3"),
    "too many": (SMALL.replace("1=4", "1=3"), ":9: expected \\2-grams:, got '-0.3"),
    "too few": (SMALL.replace("2=2", "2=3"), ":14: expected 1 more 2-grams, as the head says."),
    "too few 1-grams": (SMALL.replace("1=4", "1=9"), ":10: expected 5 more 1-grams"),
    "cut": (SMALL[: SMALL.index("-0.1\ta")], "expected 1 more 2-grams"),
    "no end": (SMALL[:-7], ":13: expected \\end\\, got the end of the file."),
    "more": (SMALL + "\nhello\n", ":17: expected nothing after \\end\\."),
    "word": (SMALL.replace("<s> a", "<s> b"), ":12: expected words of the 1-grams, got 'b'."),
    "columns": (SMALL.replace("-0.2\t<s> a", "-0.2\t<s> a a a"), ":12: expected log10 p, 2 words"),
    "number": (SMALL.replace("-0.2\t", "zero\t"), ":12: expected a number, got 'zero'."),
    "nan": (SMALL.replace("-0.2\t", "nan\t"), ":12: expected a number, got 'nan'."),
    "backoff": (SMALL.replace("-0.25", "inf"), ":7: expected a number, got 'inf'."),
    "too large": (SMALL.replace("-0.25", "1e39"), ":7: expected a number, got '1e39'."),
    "highest": (SMALL.replace("<s> a", "<s> a\t-1"), ":12: expected no backoff in the highest"),
    "word twice": (SMALL.replace("-1.5\t<unk>", "-1.5\ta"), ":9: expected 'a' once."),
    "mark twice": (SMALL.replace("-1.5\t<unk>", "-1.5\t<s>"), ":8: expected '<s>' once."),
    "n-gram twice": (SMALL.replace("a </s>", "<s> a"), ":13: expected every n-gram once"),
    "no start": (SMALL.replace("<s>", "b"), "expected <s> among the 1-grams"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_named_by_its_line(tmp_path, case):
    text, said = WRONG[case]
    with pytest.raises(DataError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("cut", [3, 12, 60, -9, -1])
def test_a_packed_file_cut_short(tmp_path, cut):
    with pytest.raises(DataError, match="damaged or cut short"):
        read(tmp_path, gzip.compress(SMALL.encode() * 30)[:cut], "x.arpa.gz")


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "model.arpa").touch()
    with pytest.raises(DataError, match="Did you mean"):
        NGramModel.load(tmp_path / "modle.arpa")
    with pytest.raises(DataError, match="cannot be read"):
        NGramModel.load(tmp_path)


PIECES = [*SMALL.encode().splitlines(keepends=True), b"\t", b"a", b"-1", b"\0", b"nan", b"\xff"]
edits = st.lists(
    st.tuples(st.integers(0, len(SMALL)), st.integers(0, 9), st.sampled_from(PIECES)), max_size=4
)


@settings(max_examples=300)
@given(edits, st.booleans())
def test_edited_files_are_read_or_refused(tmp_path_factory, changes, packed):
    """Cut, doubled, overwritten: a model, or an error that says why."""
    text = SMALL.encode()
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    folder = tmp_path_factory.mktemp("fuzz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = None
        with suppress(PenstockError):
            model = read(folder, gzip.compress(text) if packed else text)
    if model is not None:
        assert not np.isnan(model.distribution(model.start())).any()


def test_kenlm_reads_what_we_write(model, letters, test_ids, tmp_path):
    """The same scores from the kenlm package, sentence by sentence."""
    kenlm = pytest.importorskip("kenlm")
    model.save(tmp_path / "a.arpa")
    theirs = kenlm.Model(str(tmp_path / "a.arpa"))
    ours = model.scores(test_ids)
    ends = np.flatnonzero(test_ids == letters.eos_id)
    start = 0
    for end in ends:
        words = [letters.words[id] for id in test_ids[start:end]]
        full = list(theirs.full_scores(" ".join(words)))
        np.testing.assert_allclose(ours[0][start : end + 1], [f[0] for f in full], atol=2e-6)
        assert ours[1][start : end + 1].tolist() == [f[1] for f in full]
        start = end + 1
