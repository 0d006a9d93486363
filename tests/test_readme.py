"""What the README shows is run: its shell lines and its Python, on small images of the same names."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from napari_s1omni.frontends.cli.main import main

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": ROOT / "README.md", "cli.md": ROOT / "docs/cli.md"}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page].read_text(encoding="utf-8"), re.M | re.S)


def lines(page):
    """The lines of a page that call ``s1omni``."""
    return [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("s1omni ")]


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.coins()).save("coins.png")
    Image.fromarray(data.moon()[:384, :256]).save("moon.png")
    Image.fromarray(data.immunohistochemistry()[:120, :140]).save("ihc.png")
    Image.fromarray(data.coins()[:100, :100]).save("cells.tif")
    shutil.copytree(ROOT / "workflows" / "jobs", "workflows/jobs")
    Path("plate").mkdir()
    for i in (1, 2):
        Image.fromarray(data.coins()[100 * i : 100 * i + 90, :100]).save(f"plate/well_B0{i}.png")
    return tmp_path


def call(words, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    return said.out


@pytest.mark.parametrize("page", PAGES)
def test_shell_lines(page, images, capsys):
    found = lines(page)
    assert found
    for line in found:
        if "annotated.tif" in line:
            call(["export", "nuclei.zarr", "annotated.tif"], capsys)
        command, _, target = line.removeprefix("s1omni ").partition(" > ")
        said = call(shlex.split(command), capsys)
        if target:
            (images / target.strip()).write_text(said)


def test_python(images, capsys):
    found = blocks("README.md", "python")
    assert found
    for block in found:
        exec(compile(block, "README.md", "exec"), {})
    assert "segmentation by" in capsys.readouterr().out


def test_job_of_the_page_is_that_of_its_line(images, capsys):
    (example,) = blocks("cli.md", "yaml")
    (images / "job.yaml").write_text(example)
    line = lines("cli.md")[0].removeprefix("s1omni ")
    from_line = call([*shlex.split(line), "--dry-run", "--json"], capsys)
    assert call(["plan", "job.yaml", "--json"], capsys) == from_line


def test_scripts_exist_and_can_be_run():
    (first, *_) = blocks("README.md", "sh")
    for line in first.split():
        assert (ROOT / line).stat().st_mode & 0o111


def test_extras_of_the_table_are_those_of_the_package():
    import configparser

    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \|", text, re.M)
    assert sorted(table) == sorted(config["options.extras_require"])
