"""Pictures beside the facts are limited in number and size, and only those that were drawn are shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from gengrade.facts import MOST_FIGURES, Outcome
from gengrade.grading.figures import Gallery, Show
from gengrade.report.student import student_page
from tests.support import report_examples as examples


def test_pictures_of_a_submission_are_few_and_small(tmp_path: Path) -> None:
    gallery = Gallery()
    shows = [Show(tmp_path, f"check{number}", gallery) for number in range(3)]
    noise = np.random.default_rng(0).random((64, 28, 28))
    for _ in range(MOST_FIGURES):
        for show in shows:
            show.images("Samples", noise)
    drawn = [figure for show in shows for figure in show.figures]
    files = sorted((tmp_path / "figures").iterdir())
    assert len(drawn) == len(files) <= MOST_FIGURES
    assert sum(file.stat().st_size for file in files) <= 8 << 20


def test_a_picture_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    show = Show(tmp_path, "check", Gallery())
    show.images("Noise", np.random.default_rng(0).random((200, 64, 64)))
    assert not show.figures
    show.images("Usual", np.random.default_rng(0).random((64, 28, 28)))
    show.curves("Long", {"loss": (range(1_000_000), [0.0] * 1_000_000)}, xlabel="step", ylabel="loss")
    assert [figure.caption for figure in show.figures] == ["Usual", "Long"]


def test_a_picture_that_somebody_put_there_is_not_shown(tmp_path: Path) -> None:
    """Neither another student's picture nor one behind a link is shown."""
    show = Show(tmp_path, "vae.kld", Gallery())
    show.images("Samples", np.zeros((4, 8, 8)))
    (figure,) = show.figures
    facts = examples.facts(examples.fact("vae.kld", Outcome.FAILED), figures=(figure,))

    def shown() -> bool:
        return "data:image/png" in student_page(examples.graded(facts), facts, tmp_path)

    assert shown()
    file = tmp_path / figure.file
    shutil.move(file, tmp_path / "own.png")
    file.symlink_to(tmp_path / "own.png")
    assert not shown()
    file.unlink()
    file.write_bytes(examples.png())
    assert not shown()
    shutil.copy(tmp_path / "own.png", file)
    assert shown()
