"""A replay buffer on the training device, from which every sample is drawn many times, with new augmentation each time.

A processor core makes about 25 samples per second; a GPU can train on thousands. New samples therefore enter a ring
buffer on the GPU, and every step draws its batch from it, with new crops, symmetries and intensities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from napari_s1omni.training.batches.editor_batches import EditorBatch

_IMAGES = ("base", "target")
_TOKENS = 224
"""Tokens per row in the buffer; longer rows are skipped."""


class ReplayBuffer:
    """A ring buffer of samples.

    Parameters
    ----------
    capacity : int
        Number of samples.
    device : torch.device
    """

    def __init__(self, capacity: int, device: torch.device) -> None:
        self._capacity, self._device = capacity, device
        self._rows: dict[str, torch.Tensor] = {}
        self._drop = 0
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    def add(self, batch: EditorBatch) -> None:
        """Add the rows of a batch; a full buffer overwrites its oldest rows. Images become float16."""
        fits = batch.mask.sum(1) + batch.drop <= _TOKENS
        self._drop = batch.drop
        rows = {name: tensor[fits] for name, tensor in batch.tensors().items()}
        rows["ids"] = _pad_tokens(rows["ids"], _TOKENS)
        rows["mask"] = _pad_tokens(rows["mask"], _TOKENS - batch.drop)
        count = int(fits.sum())
        at = (torch.arange(count) + self._added) % self._capacity
        for name, tensor in rows.items():
            new = tensor.half() if name in _IMAGES else tensor
            if name not in self._rows:
                self._rows[name] = torch.zeros(self._capacity, *new.shape[1:], dtype=new.dtype, device=self._device)
            self._rows[name][at.to(self._device)] = new.to(self._device)
        self._added += count

    def draw(self, count: int, edge: int, empty: float) -> EditorBatch:
        """Draw a random batch, with torch's random numbers.

        Parameters
        ----------
        count : int
            Number of rows.
        edge : int
            Edge of the crops in pixels, at most that of the samples.
        empty : float
            Share of rows with an empty condition.
        """
        which = torch.randint(len(self), (count,)).to(self._device)
        rows = {name: held[which] for name, held in self._rows.items()}
        base, target = (rows[name].float() for name in _IMAGES)
        base, target = _crop(base, target, edge)
        base, target = _vary_intensity(base, target, rows["residual"])
        length = int(rows["mask"].sum(1).max())
        rows.update(
            base=base,
            target=target,
            ids=rows["ids"][:, : self._drop + length],
            mask=rows["mask"][:, :length],
            null=(torch.rand(count) < empty).to(self._device),
        )
        return EditorBatch(**rows, drop=self._drop)


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How a replay buffer is filled and drawn from."""

    first: int
    """Batches added before the first step."""
    new: int
    """Batches added before each step."""
    batch: int
    """Rows drawn per step."""
    edge: int
    """Edge of the crops in pixels."""
    empty: float
    """Share of rows with an empty condition."""


def replay_batches(
    batches: Iterator[EditorBatch], buffer: ReplayBuffer, settings: ReplaySettings
) -> Iterator[EditorBatch]:
    """Fill the buffer, then yield batches drawn from it, with new ones added before each."""
    for _ in range(settings.first):
        buffer.add(next(batches))
    while True:
        for _ in range(settings.new):
            buffer.add(next(batches))
        yield buffer.draw(settings.batch, settings.edge, settings.empty)


def _pad_tokens(tokens: torch.Tensor, width: int) -> torch.Tensor:
    """Pad or cut (n, L) to (n, width); masks are padded with False, ids with the last token."""
    missing = width - tokens.shape[1]
    if missing <= 0:
        return tokens[:, :width]
    if tokens.dtype == torch.bool:
        return functional.pad(tokens, (0, missing))
    return torch.cat([tokens, tokens[:, -1:].expand(-1, missing)], 1)


def _crop(base: torch.Tensor, target: torch.Tensor, edge: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply one random crop and one symmetry to all rows of each eighth of the batch."""
    parts = []
    for both in torch.cat([base, target], 1).tensor_split(8):
        span = both.shape[-1] - edge + 1
        # Multiples of 4, so that crops of an upsampled source begin with a whole source pixel.
        y, x = (4 * int(torch.randint((span + 3) // 4, ())) for _ in range(2))
        crop = both[..., y : y + edge, x : x + edge].rot90(int(torch.randint(4, ())), (-2, -1))
        parts.append(crop.flip(-1) if torch.rand(()) < 0.5 else crop)
    whole = torch.cat(parts)
    return whole[:, :3], whole[:, 3:]


def _vary_intensity(
    base: torch.Tensor, target: torch.Tensor, residual: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale the intensities of the source a little; targets are scaled only where residuals are predicted."""
    gain = torch.exp(0.12 * torch.randn(len(base), 1, 1, 1, device=base.device))
    return gain * base, torch.where(residual.view(-1, 1, 1, 1), gain * target, target)
