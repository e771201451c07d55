"""The marking room in a real browser, by keyboard alone."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from gengrade.marks import Mark
from gengrade.room import Plan
from tests.support.driven import browser, needs_driver, press, until
from tests.support.room import Server, graded_class, serving

ITEM = "1.1-sampling"

pytestmark = needs_driver


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def server(tmp_path: Path, driver: Chrome) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results")) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.execute_script("localStorage.clear()")
        yield server


def _open(driver: Chrome, server: Server, question: str = "1.1") -> str:
    """Open the first answer to a question, as a marker would, and return its student."""
    driver.get(f"{server.address}/question/{question}/next")
    return _student(driver)


def _student(driver: Chrome) -> str:
    """The student on the page; empty while a page is loaded, which has no title yet."""
    return driver.title.partition(", ")[2].partition(", ")[0]


def _mark(server: Server, student: str, item: str = ITEM) -> Mark | None:
    heads = server.room.current(student).get(item, ())
    return heads[-1].mark if heads else None


def _saved(driver: Chrome) -> bool:
    return all(state.text in ("saved", "") for state in driver.find_elements(By.CSS_SELECTOR, ".state")) and not (
        driver.execute_script("return waiting.length")
    )


def test_an_answer_takes_five_keys_with_two_criteria_and_a_kept_comment(driver: Chrome, server: Server) -> None:
    first = _open(driver, server)
    press(driver, "1", "c")
    press(driver, "Say which prior.", Keys.ENTER)
    until(driver, lambda _: _mark(server, first) == Mark(points=1, criteria=("prior",), comment="Say which prior."))
    press(driver, Keys.ENTER)
    until(driver, lambda _: _student(driver) not in ("", first))
    second = _student(driver)
    keys = ["1", "2", "c", Keys.ENTER, Keys.ENTER]
    for key in keys:
        press(driver, key)
        if key == "c":
            until(driver, lambda _: driver.find_elements(By.CSS_SELECTOR, ".kept:not([hidden]) li"))
    until(driver, lambda _: second not in driver.title)
    expected = Mark(points=3, criteria=("prior", "decoder"), comment="Say which prior.")
    assert _mark(server, second) == expected
    assert len(keys) == 5


def test_points_undo_and_nothing(driver: Chrome, server: Server) -> None:
    student = _open(driver, server)
    press(driver, "0")
    until(driver, lambda _: _mark(server, student) == Mark(points=0, criteria=()))
    press(driver, "2")
    until(driver, lambda _: _mark(server, student) == Mark(points=2, criteria=("decoder",)))
    press(driver, "u")
    until(driver, lambda _: _mark(server, student) == Mark(points=0, criteria=()))
    until(driver, lambda _: driver.find_element(By.CSS_SELECTOR, ".sum").text == "0")
    until(driver, lambda _: driver.execute_script("return document.readyState") == "complete")  # keys work again
    press(driver, "c", "Half of it.", Keys.ESCAPE)
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.comment == "Half of it.")
    press(driver, "p", "1.5", Keys.ENTER)
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.points == 1.5)
    until(driver, _saved)
    assert driver.find_element(By.CSS_SELECTOR, ".sum").text == "1.5"


def test_what_is_refused_is_said_and_stays_on_the_page(driver: Chrome, server: Server) -> None:
    student = _open(driver, server)
    press(driver, "c", "Half of it.", Keys.ESCAPE)
    until(driver, lambda _: _mark(server, student) is not None)
    until(driver, lambda _: driver.execute_script("return waiting.length") == 0)
    press(driver, "p", "2,5", Keys.ENTER)
    until(driver, lambda _: "write 2.5" in driver.find_element(By.ID, "trouble").text)
    assert driver.find_element(By.NAME, "points").get_attribute("value") == "2,5"
    assert (mark := _mark(server, student)) is not None
    assert mark.points is None
    press(driver, "2.5", Keys.ENTER)  # which writes over it, and is no key of a criterion
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.points == 2.5)


def test_nobody_leaves_an_answer_by_a_key_while_something_is_refused(driver: Chrome, server: Server) -> None:
    student = _open(driver, server)
    press(driver, "1", "c", "Half of it.", Keys.ESCAPE)
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.comment == "Half of it.")
    press(driver, "p", "70", Keys.ENTER)
    until(driver, lambda _: "Not saved" in driver.find_element(By.ID, "trouble").text)
    press(driver, Keys.ESCAPE, Keys.ENTER, "j")
    assert student in driver.title
    assert "Not saved" in driver.find_element(By.ID, "trouble").text
    press(driver, Keys.BACKSPACE, "1.5", Keys.ENTER)
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.points == 1.5)
    until(driver, _saved)
    press(driver, Keys.ENTER)
    until(driver, lambda _: student not in driver.title)


def test_a_mark_of_somebody_else_is_shown_beside(driver: Chrome, server: Server) -> None:
    student = _open(driver, server)
    server.room.mark(student, ITEM, Mark(points=3), [], "elsewhere", by="Tim")
    press(driver, "1")
    until(driver, lambda _: "Both marks are kept" in driver.find_element(By.ID, "trouble").text)
    assert len(server.room.current(student)[ITEM]) == 2
    press(driver, "2")
    until(driver, lambda _: _mark(server, student) == Mark(points=3, criteria=("prior", "decoder")))
    assert len(server.room.current(student)[ITEM]) == 1


def test_a_lost_server_loses_nothing_that_was_typed(driver: Chrome, tmp_path: Path) -> None:
    """The page says so, keeps it over a reload, and sends it once when the server is back."""
    with serving(graded_class(tmp_path / "results")) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.execute_script("localStorage.clear()")
        student = _open(driver, server)
        # The server's answers are lost, and so is the third request itself.
        driver.execute_script(
            """
            window.real = window.fetch;
            let number = 0;
            window.fetch = async (...all) => {
              number += 1;
              if (number < 3) await window.real(...all);
              throw new TypeError("lost");
            };
            """
        )
        press(driver, "1")
        until(driver, lambda _: "kept in this browser" in driver.find_element(By.ID, "trouble").text)
        press(driver, "c", "Typed meanwhile.", Keys.ESCAPE)
        until(driver, lambda _: driver.execute_script("return waiting.length") == 2)
        driver.execute_script("window.fetch = window.real")
        until(driver, _saved)
        assert _mark(server, student) == Mark(points=1, criteria=("prior",), comment="Typed meanwhile.")
        assert len(server.room.current(student)[ITEM]) == 1
        assert driver.find_element(By.ID, "trouble").text == ""


def test_what_was_done_while_the_server_was_down_is_sent_after_its_restart(driver: Chrome, tmp_path: Path) -> None:
    graded = graded_class(tmp_path / "results")
    with serving(graded) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.execute_script("localStorage.clear()")
        student = _open(driver, server)
    press(driver, "1")
    until(driver, lambda _: "kept in this browser" in driver.find_element(By.ID, "trouble").text)
    first = driver.current_window_handle
    with serving(graded, port=server.port) as server:
        until(driver, lambda _: "Open the new address" in driver.find_element(By.ID, "trouble").text)
        driver.switch_to.new_window("tab")
        driver.get(server.address + server.address_for("Tim"))
        until(driver, lambda _: _mark(server, student) == Mark(points=1, criteria=("prior",)))
        driver.close()
        driver.switch_to.window(first)
        until(driver, _saved)
        assert len(server.room.current(student)[ITEM]) == 1, "two tabs have sent it, and it is there once"


def test_the_next_item_is_chosen_by_a_key(driver: Chrome, tmp_path: Path) -> None:
    with serving(graded_class(tmp_path / "results", pending=True)) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.execute_script("localStorage.clear()")
        driver.get(f"{server.address}/answer/1.9/ada")
        first, second = (
            form.get_attribute("data-item") for form in driver.find_elements(By.CSS_SELECTOR, "form[data-item]")
        )
        assert first is not None
        assert second is not None
        press(driver, "1", "n", "0")
        until(driver, lambda _: (mark := _mark(server, "ada", second)) is not None and mark.points == 0)
        mark = _mark(server, "ada", first)
        assert mark is not None
        assert mark.points == server.room.work.items[first].item.points


def test_one_of_two_marks_is_taken(driver: Chrome, server: Server) -> None:
    for request, mark in (("a", Mark(points=3)), ("b", Mark(points=1, criteria=("prior",), comment="Only that."))):
        server.room.mark("ada", ITEM, mark, [], request, by="Tim")
    driver.get(f"{server.address}/answer/1.1/ada")
    press(driver, "s")
    until(driver, lambda _: "several marks" in driver.find_element(By.ID, "trouble").text)
    assert len(server.room.current("ada")[ITEM]) == 2, "saving an empty form takes back neither"
    driver.find_elements(By.CSS_SELECTOR, "button.take")[1].click()
    until(driver, lambda _: len(server.room.current("ada")[ITEM]) == 1)
    assert _mark(server, "ada") == Mark(points=1, criteria=("prior",), comment="Only that.")


def test_a_comment_is_saved_when_the_typing_pauses_or_the_page_is_left(driver: Chrome, server: Server) -> None:
    student = _open(driver, server)
    press(driver, "c", "A pause.")
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.comment == "A pause.")
    press(driver, " And away.")
    driver.get(server.address)
    until(driver, lambda _: (mark := _mark(server, student)) is not None and mark.comment == "A pause. And away.")


def test_a_mark_for_an_earlier_wording_is_confirmed_by_a_key(driver: Chrome, tmp_path: Path) -> None:
    graded = graded_class(tmp_path / "results")
    with serving(graded) as before:
        before.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",)), [], "r", by="Tim")
    changed = graded_class(tmp_path / "results", wording="in whatever order")
    with serving(changed) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.get(f"{server.address}/answer/1.1/ada")
        assert "earlier wording" in driver.find_element(By.TAG_NAME, "form").text
        press(driver, "s")
        until(driver, _saved)
        until(driver, lambda _: server.room.current("ada")[ITEM][0].wording == server.room.work.items[ITEM].wording)
        assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))


def test_a_mark_for_earlier_files_is_confirmed_by_going_on(driver: Chrome, tmp_path: Path) -> None:
    with serving(graded_class(tmp_path / "results", content="sha256:1")) as before:
        before.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",)), [], "r", by="Tim")
    with serving(graded_class(tmp_path / "results", content="sha256:2")) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.get(f"{server.address}/answer/1.1/ada")
        assert "before the student handed in again" in driver.find_element(By.TAG_NAME, "form").text
        press(driver, Keys.ENTER)
        until(driver, lambda _: server.room.current("ada")[ITEM][0].content == "sha256:2")
        assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))


def test_another_web_page_cannot_mark(driver: Chrome, server: Server, tmp_path: Path) -> None:
    fields = f'<input name="student" value="ada"><input name="item" value="{ITEM}"><input name="seen" value="">'
    fields += '<input name="request" value="x"><input name="points" value="3">'
    script = f"""fetch("{server.address}/mark", {{method: "POST", credentials: "include", mode: "no-cors",
        body: new URLSearchParams({{student: "ada", item: "{ITEM}", seen: "", request: "y", points: "3"}})}})
        .finally(() => {{ document.title = "sent"; }});"""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "form.html").write_text(f'<form method="post" action="{server.address}/mark">{fields}</form>')
    (tmp_path / "evil" / "fetch.html").write_text(f"<title>evil</title><script>{script}</script>")
    (tmp_path / "evil" / "frame.html").write_text(f'<iframe src="{server.address}/answer/1.1/ada"></iframe>')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "evil"))  # type: ignore[arg-type]

        def log_message(self, *arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as evil:
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        try:
            here = f"http://127.0.0.1:{evil.server_address[1]}"
            driver.get(f"{here}/fetch.html")
            until(driver, lambda _: driver.title == "sent")
            driver.get(f"{here}/form.html")
            driver.execute_script("document.forms[0].submit()")
            until(driver, lambda _: "Another page has sent this" in driver.page_source)
            driver.get(f"{here}/frame.html")
            driver.switch_to.frame(0)
            assert "Sampling" not in driver.page_source
            driver.switch_to.default_content()
        finally:
            evil.shutdown()
    assert server.room.current("ada") == {}


def test_pages_fit_and_nothing_is_written_to_the_console(driver: Chrome, server: Server) -> None:
    driver.get_log("browser")  # type: ignore[no-untyped-call]
    _open(driver, server)
    server.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",), comment="Why?"), [], "r", by="Ann")
    for path in ("", "/answer/1.9/ada", "/changes", "/questions", f"/comments/{ITEM}/change"):
        driver.get(server.address + path)
        width = driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= driver.execute_script("return window.innerWidth")
    said = driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry for entry in said if "favicon" not in entry["message"]] == []


def _has_left(title: str, driver: Chrome) -> bool:
    return driver.title != title


def test_two_people_mark_a_class_at_once(driver: Chrome, tmp_path: Path) -> None:
    """Each by one key for an answer; together they mark everything, and nothing twice."""
    students = [f"s{number}" for number in range(8)]
    with serving(graded_class(tmp_path / "results", students), Plan(("Ann", "Bob"))) as server:
        with browser(tmp_path / "bob") as other:
            for each, name in ((driver, "Ann"), (other, "Bob")):
                each.get(server.address + server.address_for(name))
                each.execute_script("localStorage.clear()")
                each.get(f"{server.address}/question/1.1/next")
            for _ in range(len(students) // 2):
                for each in (driver, other):
                    here = each.title
                    press(each, "2", Keys.ENTER)
                    until(each, partial(_has_left, here))
        heads = [server.room.current(student)[ITEM] for student in students]
        assert [len(some) for some in heads] == [1] * len(students)
        assert sorted(some[0].by for some in heads) == ["Ann"] * 4 + ["Bob"] * 4
        assert server.ask("/question/1.1/next", by="Ann")[2]["location"] == "/#1.1"


def test_a_second_marker_and_a_blind_one_see_what_they_may(driver: Chrome, tmp_path: Path) -> None:
    plan = Plan(("Ann", "Bob"), second=1.0, blind=True)
    with serving(graded_class(tmp_path / "results", ["janedoe_123"]), plan) as server:
        shown = server.room.names.shown("janedoe_123")
        driver.get(server.address + server.address_for("Ann"))
        driver.execute_script("localStorage.clear()")
        driver.get(f"{server.address}/question/1.1/next")
        press(driver, "1", "2")
        until(driver, lambda _: _mark(server, "janedoe_123") == Mark(points=3, criteria=("prior", "decoder")))
        driver.get(f"{server.address}/")
        driver.get(server.address + server.address_for("Bob"))
        driver.get(f"{server.address}/question/1.1/next")
        assert driver.title == f"1.1, {shown}"
        assert "second mark" in driver.find_element(By.TAG_NAME, "main").text
        assert not driver.find_elements(By.CSS_SELECTOR, "input:checked")
        press(driver, "1")
        until(driver, lambda _: len(server.room.current("janedoe_123")[ITEM]) == 2)
        until(driver, _saved)
        press(driver, "u")
        until(driver, lambda _: len(server.room.current("janedoe_123")[ITEM]) == 1)
        assert "janedoe" not in driver.page_source


def test_what_waits_for_a_lost_server_is_sent_by_its_author_alone(driver: Chrome, tmp_path: Path) -> None:
    """Another person enters in the same browser meanwhile."""
    graded = graded_class(tmp_path / "results")
    plan = Plan(("Ann", "Bob"))
    with serving(graded, plan) as server:
        driver.get(server.address + server.address_for("Ann"))
        driver.execute_script("localStorage.clear()")
        student = _open(driver, server)
    press(driver, "2")
    until(driver, lambda _: "does not answer" in driver.find_element(By.ID, "trouble").text)
    with serving(graded, plan, port=server.port) as server:
        driver.get(server.address + server.address_for("Bob"))
        driver.get(f"{server.address}/answer/1.1/{student}")
        press(driver, "1")
        until(driver, lambda _: _mark(server, student) == Mark(points=1, criteria=("prior",)))
        driver.get(server.address + server.address_for("Ann"))
        until(driver, lambda _: len(server.room.current(student)[ITEM]) == 2)
        assert [head.by for head in server.room.current(student)[ITEM]] == ["Bob", "Ann"]


def test_forms_are_sent_by_the_browser_itself(driver: Chrome, server: Server) -> None:
    """Without the script's help, and with the headers that browsers then send."""
    driver.get(server.address)
    driver.find_element(By.NAME, "name").send_keys("Eve", Keys.ENTER)
    until(driver, lambda _: "/enter?token=" in driver.find_element(By.ID, "invitation").text)
    student = _open(driver, server)
    driver.execute_script("forms[0].elements.points.value = '2'; HTMLFormElement.prototype.submit.call(forms[0])")
    until(driver, lambda _: _mark(server, student) == Mark(points=2))
    until(driver, lambda _: driver.title == f"1.1, {student}")


def _ready(driver: Chrome, title: str, focus: str = "") -> bool:
    """Return whether a page is there and takes keys; `focus` is the text of what has the focus."""
    ready = driver.title.startswith(title) and driver.execute_script("return document.readyState") == "complete"
    return bool(ready and focus in ("", driver.switch_to.active_element.text))


def test_a_criterion_is_added_and_taken_back_by_keys_and_forms_alone(driver: Chrome, server: Server) -> None:
    """These forms are sent by the browser itself, as all forms are where scripts are off."""
    server.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",)), [], "r", by="Ann")
    driver.get(f"{server.address}/answer/1.1/ada")
    press(driver, "e")
    first = driver.switch_to.active_element
    assert (first.get_attribute("name"), first.get_attribute("value")) == ("text", "the prior")
    press(driver, Keys.TAB * 8, "1 prior, 2 decoders", Keys.TAB, "1", Keys.ENTER)
    until(driver, lambda _: _ready(driver, "What would change", "Apply"))
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",)), "no key of the page was pressed"
    press(driver, Keys.ENTER)
    until(driver, lambda _: _ready(driver, "Change 1", "Back to the answer"))
    assert [each.id for each in server.room.work.items[ITEM].wording.criteria] == ["prior", "decoder", "prior-decoders"]
    press(driver, Keys.ENTER)
    until(driver, lambda _: _ready(driver, "1.1, ada"))
    press(driver, "3")
    until(driver, lambda _: _mark(server, "ada") == Mark(points=3, criteria=("decoder", "prior-decoders")))
    press(driver, "e", Keys.ESCAPE + "3")  # at once, before the browser has drawn the closed field
    until(driver, lambda _: _mark(server, "ada") == Mark(points=2, criteria=("decoder",)))
    driver.get(f"{server.address}/changes/1")
    driver.find_element(By.CSS_SELECTOR, "form button").click()
    until(driver, lambda _: driver.title.startswith("Change 2"))
    assert len(server.room.work.items[ITEM].wording.criteria) == 2


def test_a_page_from_before_a_change_of_criteria_says_so(driver: Chrome, server: Server) -> None:
    student = _open(driver, server)
    fields = {"item": ITEM, "criterion": "decoder", "text": "the decoder", "points": "2.5", "request": "r"}
    server.cookie = "; ".join(f"{each['name']}={each['value']}" for each in driver.get_cookies())
    page = server.ask("/criteria/preview", fields)[1]
    (digest,) = re.findall(r'name="digest" value="(\w+)"', page)
    assert server.ask("/criteria/apply", {**fields, "digest": digest})[0] == 303
    press(driver, "2")
    until(
        driver, lambda _: "criteria or the files were changed meanwhile" in driver.find_element(By.ID, "trouble").text
    )
    assert _mark(server, student) == Mark(points=2, criteria=("decoder",))
    driver.refresh()
    press(driver, "2", "2")
    until(driver, lambda _: _mark(server, student) == Mark(points=2.5, criteria=("decoder",)))
