from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fedtui.learning.data import DataError
from fedtui.learning.imagefiles import read_classes, read_plain


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (20, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_folders_are_classes_in_the_plans_order(tmp_path: Path) -> None:
    picture(tmp_path / "dog" / "b.png", (255, 0, 0))
    picture(tmp_path / "dog" / "a.bmp", (0, 0, 255))
    picture(tmp_path / "cat" / "z.png", (0, 255, 0))
    (tmp_path / "bird").mkdir()
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    found = read_classes(tmp_path, ("bird", "cat", "dog", "fish"), size=8, channels=3)
    assert found.y.tolist() == [1, 2, 2]
    assert found.x.shape == (3, 3, 8, 8)
    assert found.x.dtype == np.uint8
    assert found.x[:, :, 4, 4].tolist() == [[0, 255, 0], [0, 0, 255], [255, 0, 0]]


def test_images_are_turned_and_cut_to_a_square_about_the_middle(tmp_path: Path) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 255  # what is left of it
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_plain(tmp_path / "wide.png", size=8, channels=1) == 255).all()
    left = np.zeros((8, 8), np.uint8)
    left[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # it was taken upside down
    Image.fromarray(left).save(tmp_path / "turned.png", exif=exif)
    (turned,) = read_plain(tmp_path / "turned.png", size=8, channels=1)[0]
    assert turned[0].tolist() == [0] * 4 + [255] * 4


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    good = picture(tmp_path / "cat" / "good.png", (1, 2, 3))
    cut = tmp_path / "cat" / "cut.png"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(cut)
    whole = cut.read_bytes()
    for broken in (
        b"",
        b"no image",
        whole[:40],
        whole[: len(whole) // 2],
        good.read_bytes()[:-30],
    ):
        cut.write_bytes(broken)
        with pytest.raises(DataError, match=r"cat/cut\.png is not an image .* replace or remove"):
            read_classes(tmp_path, ("cat", "dog"), size=8, channels=3)


def test_too_many_pixels_are_refused_before_they_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "a" / "big.png", (0, 0, 0), (40, 40))
    for limit in (1000, 100):  # Pillow warns above its limit and raises above twice as many
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataError, match=r"big\.png has too many pixels"):
            read_classes(tmp_path, ("a", "b"), size=8, channels=3)


def test_folders_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images: put them into folders named cat, dog"):
        read_classes(tmp_path, ("cat", "dog"), size=8, channels=3)
    with pytest.raises(DataError, match="no images to predict from"):
        read_plain(tmp_path, size=8, channels=3)
    file = picture(tmp_path / "cow" / "a.png", (0, 0, 0))
    with pytest.raises(
        DataError, match="the folder 'cow' is none of the plan's classes, cat, dog"
    ):
        read_classes(tmp_path, ("cat", "dog"), size=8, channels=3)
    with pytest.raises(DataError, match=r"a\.png is not a folder"):
        read_classes(file, ("cat", "dog"), size=8, channels=3)


def test_without_pillow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = picture(tmp_path / "a.png", (0, 0, 0))
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"pip install 'fedtui\[images\]'"):
        read_plain(file, size=8, channels=3)
