"""``s1omni evaluate-benchmark`` prints the protocol with the scores."""

import json

import numpy as np
from PIL import Image


def test_scores_come_with_their_protocol(s1omni, tmp_path):
    mask = np.zeros((30, 30), np.uint8)
    mask[5:25, 5:25] = 255
    for part in ("shale/imgs", "shale/masks", "p/shale"):
        (tmp_path / "data" / part).mkdir(parents=True)
        Image.fromarray(mask).save(tmp_path / "data" / part / "a.png")
    ended = s1omni("evaluate-benchmark", "cigrocksem", "data", "--predictions", "data/p")
    assert ended.code == 0, ended.err
    assert "above 127" in ended.out
    assert "| shale | 1 | 1.0000 | 1.0000 |" in ended.out
    told = json.loads(s1omni("evaluate-benchmark", "cigrocksem", "data", "--predictions", "data/p", "--json").out)
    assert told["means"] == {"shale": {"IoU": 1.0, "Dice": 1.0}}
    assert s1omni("evaluate-benchmark", "msd", "data").code == 66
