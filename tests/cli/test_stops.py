"""Stopped at any moment, by any means: the same command goes on and ends with the same bits."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from penstock.cli.main import main
from tests.cli.conftest import one_line, process

RUN = ["--layers", "2", "--dropout", "0.3", "--k1", "5", "--k2", "8", "--epochs", "3"]
RUN += ["--checkpoint-every", "5", "--log-every", "3", "--tokens", "character"]
SAME = ("weights.safetensors", "best.safetensors", "metrics.jsonl", "model.json", "tokenizer.json")


def kept(folder):
    """What a run leaves that the clock does not decide."""
    files = {name: (folder / name).read_bytes() for name in SAME}
    results = json.loads((folder / "results.json").read_text())
    del results["summary"]["seconds"]
    return files, results


@pytest.fixture(scope="session")
def whole(texts, tmp_path_factory):
    """What an uninterrupted run leaves."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    files = [f"--{part}={texts / part}.txt" for part in ("train", "valid", "test")]
    small = ["--hidden", "6", "--batch-size", "4", "--lr", "0.01", "-q"]
    with pytest.raises(SystemExit) as left:
        main(["train", "lm", *files, "--out", str(folder), *small, *RUN])
    assert left.value.code == 0
    return kept(folder)


@pytest.fixture
def command(lm, texts):
    """The arguments of that run."""
    return lm("--test", texts / "test.txt", *RUN)


@pytest.fixture
def goes_on(program, command, whole, tmp_path):
    """Called at the end: the same command ends as if nothing had been."""

    def check():
        answer = program(*command)
        assert answer.status == 0, answer.err
        assert kept(tmp_path / "model") == whole
        return answer.err

    return check


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def failing(monkeypatch, name, number, error):
    """``os.name`` raises from its call ``number`` on."""
    real, calls = getattr(os, name), 0

    def counted(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls >= number:
            raise error
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, counted)
        yield


def test_killed_between_any_two_writes(command, goes_on, monkeypatch):
    """Each stage of the run is cut short in turn, the one before having got a little further."""
    deaths = 0
    for name in ("fsync", "replace"):
        for number in (1, 3, 8, 20, 24):
            with failing(monkeypatch, name, number, Killed()):
                try:
                    main([str(argument) for argument in command])
                except Killed:
                    deaths += 1
                except SystemExit:
                    pass  # so far on that no write of that number is left
    assert deaths >= 5
    goes_on()


@pytest.mark.parametrize("place", ["text.Corpus.build", "scoring.losses.token_losses"])
def test_killed_while_the_text_is_read(command, goes_on, monkeypatch, place):
    def killed(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(f"penstock.{place}", killed)
        with pytest.raises(Killed):
            main([str(argument) for argument in command])
    goes_on()


def test_kill_9_at_random_moments(command, whole, tmp_path):
    folder, moments, codes = tmp_path / "model", random.Random(4), []
    for sign in ("model.json", "text/train.ids", "metrics.jsonl", "metrics.jsonl", "card.md"):
        running = process(*command, "-q", stdout=subprocess.DEVNULL)
        while not (folder / sign).exists() and running.poll() is None:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.3 if sign == "metrics.jsonl" else 0.01))
        running.kill()
        codes.append(running.wait())
    assert codes.count(-signal.SIGKILL) >= 3
    assert process(*command, "-q", stdout=subprocess.DEVNULL).wait() == 0
    assert kept(folder) == whole


@pytest.mark.parametrize("number", [1, 2, 4, 9, 30, 44])
def test_a_full_disk(program, command, goes_on, monkeypatch, number):
    full = OSError(errno.ENOSPC, "No space left on device")
    with failing(monkeypatch, "fsync", number, full):
        answer = program(*command)
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert "no space left on device" in answer.err.splitlines()[-1]
    goes_on()


def test_a_write_that_fails_half_way(program, command, goes_on):
    """The system itself refuses to write more than some bytes to a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, before[1]))
    try:
        line = one_line(program(*command, "-q"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "checkpoint.safetensors: cannot be written, file too large" in line
    goes_on()


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(
    program, command, goes_on, tmp_path
):
    assert program(*command, "--epochs", "2", "-q").status == 0
    newest = tmp_path / "model" / "checkpoint.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert "Going on from the checkpoint before it" in goes_on()


def test_no_checkpoint_can_be_read(program, command, tmp_path):
    assert program(*command, "-q").status == 0
    for name in ("checkpoint.safetensors", "checkpoint.previous.safetensors"):
        (tmp_path / "model" / name).write_bytes(b"{}")
    assert "No checkpoint is readable; train in another folder." in one_line(program(*command))
    assert (tmp_path / "model" / "weights.safetensors").exists()


def test_ctrl_c_while_training(command, program, tmp_path):
    long = [*command, "--epochs", "2000", "--log-every", "0"]
    running = process(*long, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    metrics = tmp_path / "model" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size) and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate()
    assert running.returncode == 130
    assert out == b""
    assert b"the same command goes on from here" in err
    assert b"Traceback" not in err
    assert program("generate", tmp_path / "model").status == 0


def test_ctrl_c_before_training(program, command, goes_on, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("penstock.text.Corpus.build", interrupted)
        assert program(*command) == (130, "", "")
    goes_on()


@pytest.mark.parametrize("verb", [["generate", "--tokens", "1000000"], ["score"]])
def test_a_reader_that_leaves(trained, tmp_path, verb):
    (tmp_path / "lines").write_text("the cat sees a dog\n" * 20_000)
    with (tmp_path / "lines").open("rb") as lines:
        pipes = {"stdin": lines, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with process(verb[0], trained, *verb[1:], **pipes) as running:
            assert running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait() == 0
