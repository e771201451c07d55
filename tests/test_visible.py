"""Untrusted text: invisible characters are marked, and honest text in any script stays unchanged."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.paths import printable, safe_name
from gengrade.report.text import LONGEST, one_line, plain
from gengrade.submissions.names import identify

REPLACED = "\ufffd"
HIDDEN = (
    *("\u200b", "\u200e", "\u2060", "\u00ad", "\ufeff", "\u180e", "\u061c", "\u202e", "\u2066", "\u206a", "\ufff9"),
    *("\U000e0041", "\U000e007f", "\U000e0001", "\ue000", "\uf8ff", "\U000f0000", "\U0010fffd", "\ufdd0", "\U0001fffe"),
    *("\ufe00", "\ufe0f", "\U000e0100", "\U000e01ef", "\u180b", "\u034f", "\u17b4", "\u17b5", "\U0001d173"),
    *("\u3164", "\u115f", "\u1160", "\uffa0", "\u2800", "\u2028", "\u2029", "\x00", "\x1b", "\x7f", "\x85", "\ud800"),
)


@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_what_cannot_be_seen_is_marked(character: str) -> None:
    for text in (f"do{character}e", character, f"{character}doe", f"doe{character}"):
        if character != "\x1b":  # it begins an escape sequence, which goes as a whole
            assert plain(text) == text.replace(character, REPLACED)
        assert printable(text) == text.replace(character, "_")
    assert character not in plain(character * 50)
    assert identify(f"do{character}e").id != identify("doe").id


@pytest.mark.parametrize(
    "text",
    [
        *("Zoë Müller", "Nguyễn Thị Phương", "Łukasz Żółć", "Ærøskøbing", "Ἀριστοτέλης", "Дмитрий Ёлкин"),
        *("علی‌رضا محمدی", "مُحَمَّد", "בְּרֵאשִׁ֖ית", "क्षत्रिय श्रीमती", "क्‍ष", "বাংলা", "র‍্য", "தமிழ்", "ශ්‍රී"),
        *("สวัสดีที่นี่", "ខ្មែរ", "မြန်မာ", "བསྒྲུབས་", "김철수", "王小明", "山田太郎", "ቀዳማዊ", "ᏣᎳᎩ"),
        *("👍🏽 ok", "naïve café – “quoted” … € ½ ∑ α→β ✓", "a b c", "tab\tand\nline", "x̄ = μ̂", "c̆̈a"),
    ],
)
def test_honest_text_stays_whole(text: str) -> None:
    for form in (text, unicodedata.normalize("NFD", text)):
        assert plain(form) == form
        assert printable(form) == form.replace("\t", "_").replace("\n", "_")


def test_emoji_stay_readable() -> None:
    assert plain("👨‍👩‍👧 ❤️ 1️⃣ 🏳️‍🌈") == "👨👩👧 ❤ 1⃣ 🏳🌈"


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_joiners_are_marked_where_no_script_spells_with_them(joiner: str) -> None:
    for text in (
        f"a{joiner}b",
        f"{joiner}علی",
        f"علی{joiner}",
        f"a{joiner}",
        f"1{joiner}2",
        joiner,
        f"क{joiner}{joiner}ष",
    ):
        assert REPLACED in plain(text)


@pytest.mark.parametrize("mark", ["\u0301", "\u0336", "\u0489", "\u20dd", "\u0e47", "\u064e"], ids=ascii)
def test_combining_marks_do_not_pile_up(mark: str) -> None:
    shown = plain(f"a{mark * 5_000}b")
    assert shown == f"a{mark * 4}{REPLACED}b"
    assert plain(f"{mark}a") == f"\u25cc{mark}a"
    assert plain(f"x\n{mark}a") == f"x\n\u25cc{mark}a"
    assert plain(f"{mark * 5_000}") == f"\u25cc{mark * 4}{REPLACED}"
    # Nor are they kept apart by what cannot be seen.
    assert plain(f"a{(mark * 3 + chr(0x200B)) * 3}").count(REPLACED) == 3


@given(st.text(max_size=200))
def test_nothing_shown_is_hidden(text: str) -> None:
    for shown in (plain(text), printable(text), one_line(text), safe_name(text)):
        left = [character for character in shown if unicodedata.category(character)[0] == "C"]
        assert set(left) <= {"\n", "\t", "\u200c", "\u200d"}
        assert "\u2028" not in shown
    assert plain(plain(text)) == plain(text)
    assert printable(printable(text)) == printable(text)


def test_every_character_is_either_shown_or_marked() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        shown = printable(f"a{character}a")
        assert shown in {f"a{character}a", "a_a"}, hex(code)


def test_long_text_takes_no_time_for_what_is_left_out() -> None:
    assert len(plain("\u200b" * 5_000_000)) < LONGEST + 200
    assert len(plain("a" + "\u0301" * 5_000_000)) < LONGEST + 200
