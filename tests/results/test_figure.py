"""Panels, contours and text of a figure."""

import numpy as np
from PIL import Image

from napari_s1omni.results.figure import (
    PALETTE,
    SCALE,
    PanelView,
    Sheet,
    draw_boxes,
    draw_contours,
    label_colours,
    text_width,
    wrap_text,
)


def test_lines_fit_and_lose_no_word():
    words = "The objects are bright: ground 0.20, contrast 0.42, noise 0.008, slope of the ground 0.14. " * 3
    lines = list(wrap_text(words, 13, 200))
    assert " ".join(lines).split() == words.split()
    assert all(text_width(line, 13) <= 200 for line in lines)
    assert len(lines) > 3


def test_a_word_wider_than_the_line_stands_alone():
    assert list(wrap_text("a incomprehensibilities b", 13, 40)) == ["a", "incomprehensibilities", "b"]


def test_contours_lie_inside_objects_and_leave_their_middle():
    labels = np.zeros((40, 40), int)
    labels[5:20, 5:20] = 1
    labels[5:20, 20:35] = 2
    drawn = np.asarray(draw_contours(Image.new("RGB", (40, 40), (9, 9, 9)), labels, thickness=2))
    assert (drawn[labels == 0] == 9).all()
    assert (drawn[10:15, 10:15] == 9).all()
    first, second = (tuple(int(v) for v in drawn[12, x]) for x in (19, 20))
    assert first in PALETTE
    assert second in PALETTE
    assert first != second


def test_ids_that_follow_each_other_have_different_colours():
    colours = label_colours(np.arange(1, 50))
    assert (colours[1:] != colours[:-1]).any(axis=1).all()
    assert (label_colours(np.zeros(3, int)) == 0).all()


def test_a_view_magnifies_and_places():
    view = PanelView(40, 30, 2.0, y=5.0, x=3.0)
    image = view.image(np.zeros((60, 60), np.uint8))
    assert image.size == (40 * SCALE, 30 * SCALE)
    labels = np.arange(60 * 60).reshape(60, 60)
    shown = view.labels(labels)
    assert shown.shape == (30 * SCALE, 40 * SCALE)
    assert shown[0, 0] == labels[5, 3]
    assert shown[-1, -1] == labels[5 + 14, 3 + 19]
    assert view.box((5, 6), (3, 5))[:2] == (0, 0)


def test_a_grid_marks_only_its_lines():
    drawn = np.asarray(draw_boxes(Image.new("RGB", (20, 20)), [(4, 4, 15, 15)], (255, 255, 255), 0.5))
    assert drawn[4, 10].tolist() == [128, 128, 128]
    assert not drawn[8, 8].any()


def test_a_card_that_is_full_says_so():
    sheet, same = Sheet(200, 120), Sheet(200, 120)
    lines = [(f"line {i}", 13.0, (0, 0, 0)) for i in range(3)]
    sheet.card(lines * 10, (0, 0, 200, 120), PALETTE[0])
    same.card(lines * 20, (0, 0, 200, 120), PALETTE[0])
    pictures = [np.asarray(s.render()) for s in (sheet, same)]
    assert np.array_equal(*pictures)
    assert (pictures[0][112:, 8:] == pictures[0][112, 100]).all()
