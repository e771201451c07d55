"""Creating and reading a control group, on files like the kernel's, since few users may create real ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gengrade.sandbox.cgroups import Group


class Hierarchy:
    """A folder with the files of a version 2 hierarchy, and the two files of /proc that lead to it."""

    def __init__(self, folder: Path, own: str = "/user/app/run.scope") -> None:
        self.top = folder / "top"
        self.own, self.mounts = folder / "cgroup", folder / "mountinfo"
        self.own.write_text(f"0::{own}\n")
        self.mounts.write_text(f"30 20 0:26 / {self.top} rw,nosuid - cgroup2 cgroup2 rw\n")
        (self.top / own.strip("/")).mkdir(parents=True)
        for place in (self.top, *self.top.rglob("*")):
            (place / "cgroup.procs").write_text("")
            (place / "cgroup.subtree_control").write_text("cpu pids\n")

    def make(self) -> Group | None:
        return Group.make(self.own, self.mounts)


def test_the_nearest_place_with_a_limit_on_memory_is_taken(tmp_path: Path) -> None:
    hierarchy = Hierarchy(tmp_path)
    for place in (hierarchy.top, hierarchy.top / "user" / "app"):
        (place / "cgroup.subtree_control").write_text("cpu memory pids\n")
    group = hierarchy.make()
    assert group is not None
    (folder,) = (hierarchy.top / "user" / "app").glob("gengrade-*")
    assert (folder / "memory.swap.max").read_text() == "0"
    (folder / "memory.current").write_text("1000\n")
    group.allow(500)
    assert (folder / "memory.max").read_text() == "1500"
    told = subprocess.run(group.entered_by(["echo", "it", "runs"]), capture_output=True, text=True, check=True).stdout
    assert (told, (folder / "cgroup.procs").read_text()) == ("it runs\n", "0\n")


def test_each_kill_is_told_once(tmp_path: Path) -> None:
    hierarchy = Hierarchy(tmp_path)
    (hierarchy.top / "cgroup.subtree_control").write_text("memory\n")
    group = hierarchy.make()
    assert group is not None
    (folder,) = hierarchy.top.glob("gengrade-*")
    assert not group.has_killed()
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\noom_group_kill 0\n")
    assert group.has_killed()
    assert not group.has_killed()


def test_without_a_limit_on_memory_there_is_no_group(tmp_path: Path) -> None:
    assert Hierarchy(tmp_path).make() is None


def test_what_belongs_to_others_is_left_alone(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    hierarchy = Hierarchy(tmp_path)
    (hierarchy.top / "cgroup.subtree_control").write_text("memory\n")
    (hierarchy.top / "cgroup.procs").chmod(0o444)
    assert hierarchy.make() is None


@pytest.mark.parametrize("content", ["", "5:memory:/somewhere\n"])
def test_the_old_version_has_none(tmp_path: Path, content: str) -> None:
    hierarchy = Hierarchy(tmp_path)
    hierarchy.own.write_text(content)
    assert hierarchy.make() is None
