"""The weights of the best epochs, in files, and their mean."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from penstock import storage
from penstock.training import checkpoint, distributed

__all__ = ["BestWeights"]


class BestWeights:
    """Keeps the weights of some epochs; their mean is what training leaves behind.

    The best are in ``best.safetensors``, and each of several in a file of its epoch.

    Args:
        folder: where the files are.
        number: how many epochs are averaged, at least 1.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number

    def keep(
        self, kept: list[list[float]], figure: float, epoch: int, model: nn.Module
    ) -> list[list[float]]:
        """Write the weights of an epoch if it is among the best; figures and epochs that are now.

        Files that the last checkpoint does not know are removed only here, so that a run which was
        killed finds all it needs.
        """
        now = sorted([*kept, [figure, epoch]])[: self.number]
        if distributed.rank() > 0 or [figure, epoch] not in now:
            return now
        if self.number > 1:
            self._forget(kept)
            checkpoint.save_tensors(self._file(epoch), model)
        if now[0][1] == epoch:
            checkpoint.save_tensors(self.folder / checkpoint.BEST, model)
        return now

    def load(self, kept: list[list[float]], model: nn.Module) -> None:
        """Give the model the mean of the kept weights."""
        with distributed.first_one_first():
            if self.number == 1 or len(kept) < 2:
                checkpoint.load_tensors(self.folder / checkpoint.BEST, model)
                return
            files = [self._file(int(epoch)) for _, epoch in kept]
            checkpoint.set_model_tensors(model, _mean(files), files[0])

    def _file(self, epoch: int) -> Path:
        return self.folder / f"best.{epoch}.safetensors"

    def _forget(self, kept: list[list[float]]) -> None:
        known = {self._file(int(epoch)) for _, epoch in kept}
        for file in self.folder.glob("best.*.safetensors"):
            if file not in known:
                file.unlink()


def _mean(files: list[Path]) -> dict[str, Tensor]:
    """The mean of every tensor of numbers; the first file's where they are whole."""
    tensors, _ = storage.load(files[0])
    total = {name: tensor.clone() for name, tensor in tensors.items()}
    for file in files[1:]:
        more, _ = storage.load(file)
        for name, tensor in total.items():
            if tensor.is_floating_point():
                tensor.add_(more[name])
    return {
        name: tensor / len(files) if tensor.is_floating_point() else tensor
        for name, tensor in total.items()
    }
