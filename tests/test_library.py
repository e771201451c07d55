"""The library of misconceptions: how files are read and refused, and what planting does to a file."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gengrade.grading.misconceptions import Library, LibraryError, Misconception
from gengrade.grading.suspects import plant

KLD = '''\
"""The divergence."""

import math

from graders.misconceptions import misconception

HALF = 0.5


def helper(x):
    return HALF * x


@misconception("part1/utils.py:KLD", fails=("vae.kld", "vae.loss"))
def sign(mean, log_std):
    """You got
    the sign wrong."""
    return -helper(mean)


@misconception("part1/models.py:VAE.forward", fails=("vae.loss",))
@no_grad()
def negated(self, x):
    """You negated the loss."""
    return -self.original(x)
'''

FAILS = 'fails=("vae.kld", "vae.loss")'

Read = Callable[..., Library]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Make a library of files, given by topic."""

    def make(**files: str) -> Library:
        folder = tmp_path / "library"
        folder.mkdir()
        for topic, text in files.items():
            (folder / f"{topic}.py").write_text(text)
        return Library(folder)

    return make


def marked(definition: str, target: str = "a.py:f") -> str:
    """Return a file of one misconception with its sentence."""
    head, _, body = definition.partition("\n")
    indent = " " * (len(body) - len(body.lstrip(" ")))
    return f'@misconception("{target}", fails=("a.a",))\n{head}\n{indent}"""You did it."""\n{body}'


def planted(library: Library, text: str) -> dict[str, Any]:
    """Return the names in a file in which a library's only misconception was planted."""
    (only,) = library.values()
    names: dict[str, Any] = {}
    exec(only.planted(text), names)
    return names


def test_a_file_is_read(read: Read) -> None:
    library = read(kld=KLD)
    assert list(library) == ["kld.sign", "kld.negated"]
    sign = library["kld.sign"]
    assert sign.sentence == "You got the sign wrong."
    assert (sign.file, sign.path, sign.fails) == ("part1/utils.py", ("KLD",), ("vae.kld", "vae.loss"))
    assert library["kld.negated"].path == ("VAE", "forward")
    assert "misconception" not in sign.source + sign.prelude
    assert "no_grad()" in library["kld.negated"].source, "other decorators stay"


def test_what_is_said_for_a_file_holds_until_it_is_said_otherwise(read: Read) -> None:
    functions = """
defaults("a.py:f", fails=("a.a", "a.b"))

@misconception
def one(x):
    "You did one."

@misconception(fails=("a.c",), raises=True)
def two(x):
    "You did two."

@misconception("b.py:C.g")
def three(self, x):
    "You did three."

defaults("b.py:h", fails=("b.a",))

@misconception()
def four(x):
    "You did four."
"""
    library = read(a=functions)
    found = {name: (each.file, each.path, each.fails, each.raises) for name, each in library.items()}
    assert found == {
        "a.one": ("a.py", ("f",), ("a.a", "a.b"), False),
        "a.two": ("a.py", ("f",), ("a.c",), True),
        "a.three": ("b.py", ("C", "g"), ("a.a", "a.b"), False),
        "a.four": ("b.py", ("h",), ("b.a",), False),
    }
    assert {each.prelude for each in library.values()} == {""}


def test_the_prelude_is_what_else_the_file_defines(read: Read) -> None:
    names = {
        getattr(statement, "name", type(statement).__name__)
        for statement in ast.parse(read(kld=KLD)["kld.sign"].prelude).body
    }
    assert names == {"Import", "Assign", "helper"}


def test_a_digest_tells_misconceptions_apart(read: Read) -> None:
    library = read(kld=KLD, again=KLD.replace("return -helper", "return 2 * helper"))
    assert len({each.digest for each in library.values()}) == 3, "the unchanged one plants the same"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (('"""You got\n    the sign wrong."""\n    ', ""), "kld.sign: a misconception needs a docstring"),
        (
            (f", {FAILS}", ""),
            "kld.sign: a misconception needs a docstring, a target such as file.py:name, and the checks",
        ),
        ((FAILS, "fails=()"), "the checks that it makes fail"),
        ((FAILS, "fails=WHAT"), "kld.sign: the arguments must be a target and the checks that fail"),
        ((FAILS, "fails=3"), "kld.sign: the target must be text"),
        ((FAILS, 'fails="vae.kld vae.loss"'), "a tuple of texts"),
        ((FAILS, "fails=(3,)"), "kld.sign: the target must be text"),
        ((FAILS, f'{FAILS}, falls=("vae.kld",)'), "kld.sign: the arguments must be a target and the checks that fail"),
        (('"part1/utils.py:KLD"', '"part1/utils.py"'), "a target such as file.py:name"),
        (('"part1/utils.py:KLD"', "7"), "kld.sign: the target must be text"),
        (('"part1/utils.py:KLD", ', ""), "a target such as file.py:name"),
        (
            (f'misconception("part1/utils.py:KLD", {FAILS})', "misconception"),
            "kld.sign: a misconception needs a docstring",
        ),
        (("HALF = 0.5", "defaults(WHAT)"), "kld, line 7: the arguments must be"),
        (("def negated", "def sign"), "kld.sign: two misconceptions have this name"),
        (("def negated(", "def negated(:"), "kld: "),
    ],
)
def test_what_is_incomplete_is_refused(read: Read, changed: tuple[str, str], words: str) -> None:
    assert changed[0] in KLD
    text = KLD.replace(*changed)
    with pytest.raises(LibraryError) as error:
        read(kld=text)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_function_takes_the_place_of_a_function(read: Read) -> None:
    library = read(a="import math\n" + marked("def other(x):\n    return math.sqrt(x)"))
    names = planted(library, "def f(x):\n    return 1\ndef g():\n    return f(4)\n")
    assert names["g"]() == 2
    assert "other" not in names


def test_the_last_definition_of_a_name_is_the_one_that_counts(read: Read) -> None:
    library = read(a=marked("def other():\n    return 'wrong'"))
    assert planted(library, "def f(): return 1\ndef f(): return 2\n")["f"]() == "wrong"


def test_the_original_can_be_asked(read: Read) -> None:
    library = read(a=marked("def negative(x):\n    return -original(x)"))
    assert planted(library, "def f(x):\n    return 10 * x\n")["f"](2) == -20


def test_a_method_takes_the_place_of_a_method(read: Read) -> None:
    library = read(a=marked("def twice(self, x):\n    return 2 * self.original(x)", "a.py:C.f"))
    names = planted(
        library, "class C:\n    def f(self, x):\n        return x + 1\n    def g(self):\n        return 5\n"
    )
    assert (names["C"]().f(1), names["C"]().g()) == (4, 5)


def test_a_class_takes_the_place_of_a_class(read: Read) -> None:
    library = read(a=marked("class bold(original):\n  def f(self):\n    return super().f().upper()", "a.py:C"))
    names = planted(library, "class C:\n    def f(self):\n        return 'a'\n\ndef make():\n    return C().f()\n")
    assert names["make"]() == "A"
    assert names["C"].__name__ == "C"


def test_a_function_takes_the_place_of_an_answer(read: Read) -> None:
    text = "f = 3\ndef g():\n    return f\n"
    assert planted(read(a=marked("def wrong():\n    return 4")), text)["g"]()() == 4


def test_an_answer_can_be_the_original(read: Read) -> None:
    assert planted(read(a=marked("def wrong():\n    return original + 1")), "f = 3\n")["f"]() == 4


def test_a_property_stays_one(read: Read) -> None:
    library = read(a=marked("def wrong(self):\n    return 4", "a.py:C.f").replace("def", "@property\ndef", 1))
    names = planted(library, "class C:\n    @property\n    def f(self):\n        return 3\n")
    assert names["C"]().f == 4


def test_what_is_planted_comes_with_its_helpers_where_they_are_needed(read: Read) -> None:
    """Helpers precede the replaced definition, since decorators and base classes are evaluated there."""
    library = read(a="def same(f): return f\n" + marked("def wrong():\n    return 4").replace("def w", "@same\ndef w"))
    assert planted(library, '"""Doc."""\nfrom __future__ import annotations\ndef f(): return 3\n')["f"]() == 4


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("a.py:g", "a.wrong: there is no g in a.py"),
        ("a.py:f.g", "no f.g in a.py"),
        ("b.py:f", "the reference has no file b.py"),
    ],
)
def test_what_is_not_there_cannot_be_replaced(read: Read, tmp_path: Path, target: str, words: str) -> None:
    (tmp_path / "a.py").write_text("def f(): return 3\n")
    (only,) = read(a=marked("def wrong():\n    return 4", target)).values()
    with pytest.raises(LibraryError, match=words):
        plant(only, tmp_path)
    assert (tmp_path / "a.py").read_text() == "def f(): return 3\n"


def test_planting_changes_the_one_file(read: Read, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("def f(): return 3\n")
    (only,) = read(a=marked("def wrong():\n    return 4")).values()
    assert isinstance(only, Misconception)
    plant(only, tmp_path)
    assert "return 4" in (tmp_path / "a.py").read_text()
    assert (tmp_path / "b.py").read_text() == "def f(): return 3\n"
