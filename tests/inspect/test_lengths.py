"""The figure of translations by the length of their sources."""

from __future__ import annotations

from penstock.inspect.lengths import score_by_length
from penstock.metrics.lengths import LengthBin

BINS = [LengthBin(1, 5, 30, 40.0, (38.0, 43.0)), LengthBin(6, 6, 60, 30.0, (29.0, 31.0))]
WORSE = [LengthBin(1, 5, 30, 20.0, (18.0, 22.0)), LengthBin(6, 6, 60, 5.0, (4.0, 6.0))]


def test_lines_bands_and_bars():
    figure = score_by_length({"attention": BINS, "none": WORSE}, "chrF2")
    axes, behind = figure.axes
    assert [line.get_label() for line in axes.lines] == ["attention", "none"]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[40, 30], [20, 5]]
    assert [line.get_xdata().tolist() for line in axes.lines] == 2 * [[3, 6]]
    low, high = (axes.collections[0].get_datalim(axes.transData).intervaly[n] for n in (0, 1))
    assert (low, high) == (29, 43)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1–5", "6"]
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylabel() == "chrF2"
    assert "bands are 95 % intervals" in axes.get_xlabel()
    shares = [bar.get_height() for bar in behind.patches]
    assert [round(share) for share in shares] == [33, 67]
    assert "sentences" in behind.get_ylabel()


def test_one_range():
    figure = score_by_length({"only": BINS[:1]})
    assert len(figure.axes[0].lines[0].get_xdata()) == 1
