"""Data-dependent initialisation of the editor's conditioning layer."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from napari_s1omni.training.batches.editor_batches import EditorBatch
from napari_s1omni.training.stages.editor_model import Editor


@torch.no_grad()
def data_dependent_init(editor: Editor, batches: Iterable[tuple[EditorBatch, torch.Tensor]]) -> None:
    """Scale the first layer of the condition so that each channel has mean 0 and variance 1 over the requests.

    Two requests have most words in common, so the part that differs is a hundredth of the variance of their states; an
    untrained layer would need thousands of steps to pick it up. This is data-dependent initialisation (Salimans and
    Kingma, "Weight normalization", 2016) of a single layer.

    Parameters
    ----------
    editor : Editor
        Its UNet is changed in place.
    batches : iterable of (EditorBatch, float tensor (B, L, width))
        Batches, and the thinker's states of them.
    """
    net = editor.unet
    rows = [net.hear(editor.connector(states), batch.mask[:, : states.shape[1]]) for batch, states in batches]
    outputs = torch.cat(rows)
    mean, deviation = outputs.mean(0), outputs.std(0) + 1e-4
    net.meaning.weight.div_(deviation)
    net.meaning.bias.sub_(net.meaning.weight @ mean)
