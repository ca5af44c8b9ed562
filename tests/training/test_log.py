"""The logs: what is written is read, cut at a checkpoint, and free of infinities."""

from __future__ import annotations

import errno
import math
import sys

import pytest

from penstock.errors import ConfigError, DataError, PenstockError
from penstock.training.log import METRICS, TIMING, MetricsLog, read


def test_records_come_back_and_infinity_is_null(tmp_path):
    log = MetricsLog(tmp_path)
    log.write({"kind": "epoch", "loss": 0.1, "grad_norms": {"W": math.inf}}, 1)
    log.write_timing({"seconds": 1.5})
    assert read(tmp_path / METRICS) == [{"kind": "epoch", "loss": 0.1, "grad_norms": {"W": None}}]
    assert read(tmp_path / TIMING) == [{"seconds": 1.5}]
    log.close()


def test_what_came_after_the_checkpoint_is_cut(tmp_path):
    log = MetricsLog(tmp_path)
    log.write({"epoch": 1}, 1)
    position = log.position()
    log.write({"epoch": 2}, 2)
    log.close()
    again = MetricsLog(tmp_path, position)
    again.write({"epoch": 20}, 2)
    again.close()
    assert read(tmp_path / METRICS) == [{"epoch": 1}, {"epoch": 20}]
    MetricsLog(tmp_path).close()
    assert read(tmp_path / METRICS) == []


def test_a_log_shorter_than_the_checkpoint_knows(tmp_path):
    with pytest.raises(DataError, match="expected at least the 10 bytes"):
        MetricsLog(tmp_path, {METRICS: 10, TIMING: 0})


def test_reading_names_the_line_and_leaves_out_an_unfinished_one(tmp_path):
    path = tmp_path / METRICS
    path.write_text('{"a": 1}\n{"b"')
    assert read(path) == [{"a": 1}]
    path.write_text('{"a": 1}\nnonsense\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl:2: expected a JSON object"):
        read(path)


def test_a_full_disk_is_one_clear_error(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("penstock.training.log.os.fsync", full)
    with pytest.raises(PenstockError, match="no space left on device"):
        log.position()
    log.close()


def test_tensorboard_missing_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'penstock\[tensorboard\]'"):
        MetricsLog(tmp_path, tensorboard=True)


def test_tensorboard_on_request(tmp_path):
    pytest.importorskip("tensorboard")
    log = MetricsLog(tmp_path, tensorboard=True)
    log.write({"kind": "epoch", "loss": 0.1}, 1)
    log.close()
    assert list((tmp_path / "tensorboard").glob("events.*"))
