"""Render self-contained HTML pages: one file without network access, which a content security policy enforces."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gengrade.report.text import SEEMS, duration, length, one_line, percent, plain, points, sentence, signed, unbroken


def page(template: str, *, script: str | None = None, **values: Any) -> str:
    """Render a template as an HTML page with the common style inline.

    template: the name of the template's file.
    script: the name of a script's file to include inline; None: the page has no script.
    values: the variables of the template.

    The content security policy allows exactly this style and script, by their hashes, and pictures as `data:` URIs.
    Nothing else loads or runs, even if a student managed to write markup into a page.
    """
    style = source("style.css")
    code = source(script) if script else ""
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    if code:
        policy += f"; script-src {_hash(code)}"
    # Style and script are our own files, and must not be escaped, since their hashes are over the unescaped text.
    return (
        _environment().get_template(template).render(policy=policy, style=Markup(style), script=Markup(code), **values)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gengrade.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["seems"] = SEEMS
    environment.filters.update(filters())
    return environment


def filters() -> dict[str, Any]:
    """Return the filters of all templates, which make untrusted text safe to show and write numbers in one way."""
    return {
        "plain": plain,
        "sentence": sentence,
        "one_line": one_line,
        "unbroken": unbroken,
        "points": points,
        "percent": percent,
        "signed": signed,
        "duration": duration,
        "length_of_time": length,
    }


@cache
def source(name: str) -> str:
    """Return one of the reports' own files, such as the style that all pages share, as text."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


@cache
def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
