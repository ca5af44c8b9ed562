"""Running text in the tokens of a translator's side: line by line the same ids, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from penstock.errors import DataError
from penstock.text import Corpus, Prepared, SentenceTokeniser, Tokeniser
from tests.text.test_sentence import EVERY, LINES

TEXT = "".join(line + "\n" for line in [*LINES, "", "<eos> and unseen: ß"])


@pytest.fixture(params=EVERY, ids=lambda t: f"{t.tokeniser.kind}-{t.preparation.pretokenise}")
def sentences(request: pytest.FixtureRequest) -> SentenceTokeniser:
    return request.param


def test_every_line_has_the_ids_of_a_sentence(sentences):
    lines = TEXT.splitlines()
    alone = np.concatenate(sentences.encode_lines(lines))
    assert Prepared(sentences).encode_text(TEXT).tolist() == alone.tolist()
    assert Prepared(sentences).encode(LINES[0]) == sentences.encode(LINES[0])


def test_text_comes_back(sentences):
    text = "".join(line + "\n" for line in LINES)
    assert Prepared(sentences).decode(Prepared(sentences).encode_text(text)) == text


def test_a_file_keeps_it(sentences, tmp_path):
    made = Prepared(sentences)
    made.save(tmp_path)
    found = Tokeniser.load(tmp_path)
    assert (found.kind, found.tokens, found.unk_id) == (made.kind, made.tokens, made.unk_id)
    assert found.fingerprint == made.fingerprint == sentences.fingerprint
    assert found.encode_text(TEXT).tolist() == made.encode_text(TEXT).tolist()
    assert len(Corpus.from_lines(LINES, found)) == len(made.encode_lines(LINES))


def test_a_damaged_file_is_told(tmp_path):
    Prepared(EVERY[0]).save(tmp_path)
    file = tmp_path / "tokenizer.json"
    state = json.loads(file.read_text())
    for wrong in ({"pretokenise": "mosses"}, {"moses": 1}, "moses"):
        file.write_text(json.dumps(state | {"preparation": wrong}))
        with pytest.raises(DataError, match="expected what is done to a line first, got"):
            Tokeniser.load(tmp_path)
