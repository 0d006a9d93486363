"""The page of the command line is what the commands say of themselves."""

from pathlib import Path

from napari_s1omni.frontends.cli.reference_page import updated

PAGE = Path(__file__).parents[2] / "docs/cli.md"


def test_the_page_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    assert updated(text) == text, "write it anew: python -m napari_s1omni.frontends.cli.reference_page docs/cli.md"
