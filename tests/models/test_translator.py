"""The encoder-decoder: one table of its switches, and equations written out with PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from penstock.errors import ConfigError
from penstock.layers.attention import decoder_program
from penstock.models import store
from penstock.models.translator import Translator
from penstock.models.translator.copying import Pointer
from penstock.models.translator.encoder import reversed_within

V, W = 11, 13
LENGTHS = torch.tensor([5, 2, 4])
PLAIN = {"reads_summary": False}
SIMPLEST = {
    "shared": True,
    "reads_words": False,
    "reads_summary": False,
    "first_state": "last",
    "readout": False,
}
SWITCHES = {
    "simplest": ("elman", None, SIMPLEST),
    "I separate": ("elman", None, {**SIMPLEST, "shared": False}),
    "I separate, words": ("elman", None, {"reads_summary": False, "first_state": "last"}),
    "II": ("elman", None, {"first_state": "last"}),
    "III": ("lstm", None, {"encoder_layers": 2, "decoder_layers": 2, "first_state": "last"}),
    "III widths": ("gru", None, {"encoder_layers": 2, "decoder_layers": 2, "hidden_size": [5, 7]}),
    "IV": ("gru", None, {"bidirectional": True}),
    "IV deep": ("gru", None, {"bidirectional": True, "encoder_layers": 2}),
    "V": ("lstm", None, {"backwards": True}),
    "two cells": ("lstm", "gru", {"first_state": "mean"}),
    "nothing known": ("gru", None, {"first_state": "zero"}),
    "shared vectors": ("gru", None, {"tying": "source-target", "source_size": W}),
    "tied": ("gru", None, {"tying": "output"}),
    "three tied": ("gru", None, {"tying": "all", "source_size": W}),
    "no layer": ("gru", None, {"readout": False}),
    "before": ("gru", decoder_program("gru"), PLAIN),
    "conditional": ("gru", decoder_program("gru", form="conditional"), PLAIN),
    "conditional deep": (
        "gru",
        decoder_program("gru", form="conditional", layers=2),
        {**PLAIN, "encoder_layers": 2, "first_state": "last"},
    ),
    "after": ("lstm", decoder_program("lstm", form="after"), PLAIN),
    "after, fed": ("lstm", decoder_program("lstm", "general", form="after", feeding=True), PLAIN),
    "location": ("gru", decoder_program("gru", "location"), PLAIN),
    "coverage": (
        "gru",
        decoder_program("gru", form="after", coverage=True),
        {**PLAIN, "bidirectional": True, "first_state": "mean"},
    ),
    "backwards and attending": ("gru", decoder_program("gru"), {**PLAIN, "backwards": True}),
    "copying": ("gru", decoder_program("gru"), {**PLAIN, "copies": torch.arange(V)}),
}


def translator(name):
    torch.manual_seed(3)
    encoder, decoder, switches = SWITCHES[name]
    options = {"source_size": V, "target_size": W, "embedding_size": 6, "hidden_size": 5}
    return Translator(encoder=encoder, decoder=decoder, **(options | switches)).double().eval()


def batch():
    torch.manual_seed(4)
    source, target = torch.randint(1, V, (5, 3)), torch.randint(1, V, (6, 3))
    return source, target, torch.randint(0, W, (6, 3))


@pytest.fixture(params=SWITCHES)
def model(request):
    return translator(request.param)


@pytest.fixture(params=[False, True], ids=["in PyTorch", "in compiled code"])
def compiled_steps(request):
    """Single steps, as they are with a gradient and as search takes them."""
    with torch.set_grad_enabled(not request.param):
        yield


def losses(model, source, inputs, targets, lengths=LENGTHS):
    return model.losses(model(source, lengths, inputs), targets)


@pytest.mark.usefixtures("compiled_steps")
def test_a_step_at_a_time_gives_the_same_probabilities(model):
    source, inputs, targets = batch()
    whole = losses(model, source, inputs, targets)
    given = model.given(source, LENGTHS)
    state = given.start(3)
    for step, (ids, next_ids) in enumerate(zip(inputs, targets, strict=True)):
        log_p, state = given.step(ids, state)
        torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(3, dtype=torch.double))
        torch.testing.assert_close(-log_p[range(3), next_ids], whole[step])
        looked = given.attention(state)
        assert (looked is not None) == model.attends
        if looked is not None:
            torch.testing.assert_close(looked.sum(-1), torch.ones(3, dtype=torch.double))
            assert (looked.T[torch.arange(5)[:, None] >= LENGTHS] == 0).all()


@pytest.mark.usefixtures("compiled_steps")
def test_rows_chosen_go_on_as_they_would_have(model):
    source, inputs, _ = batch()
    given = model.given(source, LENGTHS)
    _, state = given.step(inputs[0], given.start(3))
    for rows in (torch.tensor([2, 0, 0, 1]), torch.tensor([1])):
        expected, _ = given.step(inputs[1], state)
        found, later = given.step(inputs[1][rows], given.select(state, rows))
        torch.testing.assert_close(found, expected[rows])
        back = given.select(later, torch.arange(len(rows)))
        assert back.source is later.source


def test_padding_and_neighbours_change_nothing(model):
    source, inputs, targets = batch()
    whole = losses(model, source, inputs, targets)
    spoilt = torch.where(torch.arange(5)[:, None] < LENGTHS, source, V - 1)
    torch.testing.assert_close(losses(model, spoilt, inputs, targets), whole)
    for b, length in enumerate(LENGTHS.tolist()):
        one = source[:length, b : b + 1]
        alone = losses(
            model, one, inputs[:, b : b + 1], targets[:, b : b + 1], torch.tensor([length])
        )
        torch.testing.assert_close(alone[:, 0], whole[:, b])


def test_every_weight_learns(model):
    source, inputs, targets = batch()
    model.train()
    model.loss(model(source, LENGTHS, inputs), targets).backward()
    idle = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert idle == []


def test_the_sum_is_that_of_the_losses_and_padding_costs_nothing(model):
    source, inputs, targets = batch()
    targets[2:, 1] = -1
    features = model(source, LENGTHS, inputs, torch.tensor([6, 2, 6]))
    each = model.losses(features, targets)
    assert (each[2:, 1] == 0).all()
    torch.testing.assert_close(model.loss(features, targets), each.sum())


def test_a_folder_gives_the_model_back(model, tmp_path):
    source, inputs, targets = batch()
    store.write_description(tmp_path, model, {})
    store.save_weights(tmp_path, model)
    again = store.load_model(tmp_path).double()
    assert again.config() == model.config()
    assert again.about() == model.about()
    kept = model.float().double()  # a folder holds what the model had: here 32 bits are enough
    torch.testing.assert_close(
        losses(again, source, inputs, targets),
        losses(kept, source, inputs, targets),
        rtol=1e-4,
        atol=1e-4,
    )


# -- equations -------------------------------------------------------------------------------------


def test_the_simplest_model_is_equations_23_to_25():
    model = translator("simplest")
    weights = model.encoder.recurrent.weights()
    source, _, targets = batch()
    h = torch.zeros(5, dtype=torch.double)
    for word in source[:, 0]:
        x = model.encoder.words.embedding(word)
        h = torch.tanh(weights["W"] @ x + weights["U"] @ h + weights["b"])
    for target, found in zip(
        targets[:, 0], losses(model, source, torch.zeros_like(targets), targets)[:, 0], strict=True
    ):
        h = torch.tanh(weights["U"] @ h + weights["b"])
        expected = F.cross_entropy(model.output(h)[None], target[None])
        torch.testing.assert_close(found, expected)


def test_extension_2_is_equation_27():
    model = translator("II")
    weights = model.decoder.recurrent.weights()
    source, inputs, _ = batch()
    read = model.encode(source, LENGTHS)
    h = c = read.summary[1]
    words = model.decoder.words(inputs)
    hidden = model(source, LENGTHS, inputs).hidden[:, 1]
    for y, found in zip(words[:, 1], hidden, strict=True):
        x = torch.cat([y, c])
        h = torch.tanh(weights["W"] @ x + weights["U"] @ h + weights["b"])
        r = model.readout
        expected = torch.tanh(r.of_hidden(h) + r.of_context(c) + r.of_word(y))
        torch.testing.assert_close(found, expected)


def test_additive_attention_written_out():
    """Bahdanau, Cho & Bengio 2014, appendix A.1.2, with PyTorch's own gated unit."""
    model = translator("before")
    weights = {n: w.double() for n, w in model.decoder.recurrent.weights().items()}
    source, inputs, _ = batch()
    read = model.encode(source, LENGTHS)
    memory, length = read.memory.values[:, 2], int(LENGTHS[2])
    h = torch.tanh(model.bridge.map["h_0"](read.summary[2]))
    features = model(source, LENGTHS, inputs, align=True)
    y = model.decoder.words(inputs)[0, 2]
    energy = torch.tanh(weights["W_a"] @ h + memory[:length] @ weights["U_a"].T) @ weights["v_a"]
    shares = torch.softmax(energy, 0)
    torch.testing.assert_close(features.alignment[0, 2, :length], shares)
    context = shares @ memory[:length]
    read_out = model.readout.of_context(context) + model.readout.of_word(y)
    decoded = model.decoder(read, inputs[:1], model.bridge(read)).hidden[0, 2]
    expected = torch.tanh(model.readout.of_hidden(decoded) + read_out)
    torch.testing.assert_close(features.hidden[0, 2], expected)


def test_a_backward_reader_reads_each_sentence_backwards():
    """Annotations stay where their words stand."""
    model, plain = translator("V"), translator("V")
    plain.encoder.backwards = False
    source, _, _ = batch()
    order = reversed_within(LENGTHS, 5)
    backwards = model.encode(source, LENGTHS)
    forwards = plain.encode(source.gather(0, order), LENGTHS)
    torch.testing.assert_close(backwards.summary, forwards.summary)
    flipped = forwards.memory.values.gather(0, order[..., None].expand(-1, -1, 5))
    torch.testing.assert_close(backwards.memory.values, flipped)


def test_copying_mixes_the_vocabulary_with_the_alignment():
    model = translator("copying")
    source, inputs, _ = batch()
    given = model.given(source, LENGTHS)
    log_p, state = given.step(inputs[0], given.start(3))
    nn.init.constant_(model.pointer.gate.bias, -1e4)
    nn.init.zeros_(model.pointer.gate.weight)
    plain, _ = given.step(inputs[0], given.start(3))
    nn.init.constant_(model.pointer.gate.bias, 1e4)
    copied, _ = given.step(inputs[0], given.start(3))
    looked = given.attention(state)
    for b in range(3):
        expected = torch.zeros(W, dtype=torch.double)
        for place, word in enumerate(source[: LENGTHS[b], b]):
            expected[word] += looked[b, place]
        torch.testing.assert_close(copied[b].exp(), expected)
        assert (log_p[b].exp() - plain[b].exp()).abs().max() > 1e-3


def test_copying_costs_the_same_in_training_and_in_search_however_improbable():
    pointer = Pointer(4, torch.tensor([0, 2])).requires_grad_(False)
    nn.init.constant_(pointer.gate.bias, -200.0)
    hidden, looked = torch.zeros(1, 4), torch.tensor([[0.5, 0.5]])
    source = torch.tensor([[0], [1]])
    log_p = torch.tensor([[0.0, -120.0, -300.0]])
    found = pointer.log_p(log_p, hidden, looked, source)
    for word in range(3):
        target = torch.tensor([[word]])
        loss = pointer.losses(-log_p[:, word, None], hidden[None], looked[None], source, target)
        torch.testing.assert_close(-loss[0, 0], found[0, word])


def test_tied_matrices_are_one():
    model = translator("three tied")
    one = model.encoder.words.embedding.weight
    assert model.decoder.words.embedding.weight is one
    assert model.output.matrix is one
    assert sum(weight is one for weight in model.parameters()) == 1


def test_words_are_dropped_whole_in_training_only():
    model = translator("I separate")
    words = model.encoder.words
    words.word_dropout = 0.5
    ids = torch.randint(V, (40, 50))
    assert (words(ids) == words.embedding(ids)).all()
    dropped = (words.train()(ids) == 0).all(-1)
    kept = ~dropped
    assert 0.4 < dropped.double().mean() < 0.6
    torch.testing.assert_close(
        words(ids)[kept & (words(ids) != 0).any(-1)].abs().mean() * 0 + 1,
        torch.ones((), dtype=torch.double),
    )


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"first_state": "las"}, "unknown first_state 'las'. Did you mean 'last'?"),
        ({"tying": "outputs"}, "unknown tying 'outputs'. Did you mean 'output'?"),
        ({"embedding_size": 0}, "embedding_size >= 1"),
        ({"shared": True}, "expected shared weights with an encoder of one direction"),
        (
            {"shared": True, "reads_summary": False, "encoder_layers": 2},
            "expected as many layers on both sides for shared weights, got 2 and 1",
        ),
        (
            {"first_state": "last", "bidirectional": True},
            "but the encoder's h of 10 units fits no state of the decoder",
        ),
        ({"copies": torch.arange(V)}, "expected a decoder that attends"),
        ({"tying": "output", "readout": False, "embedding_size": 6}, "Set embedding=5"),
    ],
    ids=str,
)
def test_switches_that_do_not_go_together(switches, said):
    options = {"embedding_size": 5, "hidden_size": 5} | switches
    with pytest.raises(ConfigError, match=said):
        Translator(V, W, **options)
