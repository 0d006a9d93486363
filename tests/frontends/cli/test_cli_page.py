"""``docs/cli.md`` matches the commands."""

from pathlib import Path

from napari_s1omni.frontends.cli.reference_page import updated

PAGE = Path(__file__).parents[3] / "docs/cli.md"


def test_the_page_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    assert updated(text) == text, "update it: python -m napari_s1omni.frontends.cli.reference_page docs/cli.md"
