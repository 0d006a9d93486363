"""A bank of lessons on the training device: drawn again, turned and cut anew, many times for each time they are made.

A processor core makes some twenty-five lessons a second; a GPU learns from thousands. Lessons therefore go into a
ring on the GPU as they come, and every step draws its batch from the ring: another window, another of the eight
symmetries of the square, another light.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from napari_s1omni.training.batches.editor_batches import EditorBatch

_IMAGES = ("base", "target")
_TOKENS = 224
"""Tokens of every row in the bank; longer rows are not kept."""


class ReplayBuffer:
    """A ring of lessons.

    Parameters
    ----------
    room : int
        Lessons it holds.
    device : torch.device
    """

    def __init__(self, room: int, device: torch.device) -> None:
        self._room, self._device = room, device
        self._held: dict[str, torch.Tensor] = {}
        self._drop = 0
        self._put = 0

    def __len__(self) -> int:
        return min(self._put, self._room)

    def put(self, batch: EditorBatch) -> None:
        """Keep the rows of a batch, over the oldest ones where the ring is full; images become float16."""
        fit = batch.mask.sum(1) + batch.drop <= _TOKENS
        self._drop = batch.drop
        rows = {name: tensor[fit] for name, tensor in batch.tensors().items()}
        rows["ids"] = _wide(rows["ids"], _TOKENS)
        rows["mask"] = _wide(rows["mask"], _TOKENS - batch.drop)
        count = int(fit.sum())
        at = (torch.arange(count) + self._put) % self._room
        for name, tensor in rows.items():
            kept = tensor.half() if name in _IMAGES else tensor
            if name not in self._held:
                self._held[name] = torch.zeros(self._room, *kept.shape[1:], dtype=kept.dtype, device=self._device)
            self._held[name][at.to(self._device)] = kept.to(self._device)
        self._put += count

    def draw(self, count: int, edge: int, null: float) -> EditorBatch:
        """Draw rows at random with the random numbers of torch.

        Parameters
        ----------
        count : int
        edge : int
            Of the windows in px, at most that of the lessons.
        null : float
            Share of rows whose condition is empty.
        """
        which = torch.randint(len(self), (count,)).to(self._device)
        rows = {name: held[which] for name, held in self._held.items()}
        base, target = (rows[name].float() for name in _IMAGES)
        base, target = _cut(base, target, edge)
        base, target = _lit(base, target, rows["residual"])
        words = int(rows["mask"].sum(1).max())
        rows.update(
            base=base,
            target=target,
            ids=rows["ids"][:, : self._drop + words],
            mask=rows["mask"][:, :words],
            null=(torch.rand(count) < null).to(self._device),
        )
        return EditorBatch(**rows, drop=self._drop)


def replay_batches(
    lessons: Iterator[EditorBatch], bank: ReplayBuffer, first: int, fresh: int, batch: int, edge: int, null: float
) -> Iterator[EditorBatch]:
    """Fill `bank` with `first` batches of lessons, then yield batches from it, adding `fresh` new ones before each.

    Parameters
    ----------
    lessons : iterator
    bank : ReplayBuffer
    first, fresh : int
        Batches of lessons.
    batch, edge, null
        See :meth:`ReplayBuffer.draw`.
    """
    for _ in range(first):
        bank.put(next(lessons))
    while True:
        for _ in range(fresh):
            bank.put(next(lessons))
        yield bank.draw(batch, edge, null)


def _wide(tokens: torch.Tensor, width: int) -> torch.Tensor:
    """Bring (n, L) to (n, width); what is added repeats the last token, or is masked."""
    missing = width - tokens.shape[1]
    if missing <= 0:
        return tokens[:, :width]
    if tokens.dtype == torch.bool:
        return functional.pad(tokens, (0, missing))
    return torch.cat([tokens, tokens[:, -1:].expand(-1, missing)], 1)


def _cut(base: torch.Tensor, target: torch.Tensor, edge: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One window and one symmetry for all rows of each eighth of the batch."""
    parts = []
    for both in torch.cat([base, target], 1).tensor_split(8):
        span = both.shape[-1] - edge + 1
        # Multiples of 4: windows of an enlarged source begin with a whole source px.
        y, x = (4 * int(torch.randint((span + 3) // 4, ())) for _ in range(2))
        cut = both[..., y : y + edge, x : x + edge].rot90(int(torch.randint(4, ())), (-2, -1))
        parts.append(cut.flip(-1) if torch.rand(()) < 0.5 else cut)
    whole = torch.cat(parts)
    return whole[:, :3], whole[:, 3:]


def _lit(base: torch.Tensor, target: torch.Tensor, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale the source's intensities a little; where the image itself is drawn, its target stays what it is."""
    gain = torch.exp(0.12 * torch.randn(len(base), 1, 1, 1, device=base.device))
    return gain * base, torch.where(residual.view(-1, 1, 1, 1), gain * target, target)
