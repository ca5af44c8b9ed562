"""Every document is true: its examples run, its errors are the parser's, its links lead somewhere.

Blocks of a document are one session in one folder: ``python`` runs, ``output`` is what the block
before it printed, ``console`` runs the program, ``equations`` parse, ``error`` is what a mistake is
answered with, ``sh`` is shown only, but its options must exist.
"""

from __future__ import annotations

import ast
import doctest
import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
import typer

import penstock
from penstock.cells import CELLS
from penstock.cli.main import app, main
from penstock.equations import parse
from penstock.errors import EquationError
from penstock.training.recipe import load_recipe
from tests.docs.documents import DOCUMENTS, ROOT, anchors, blocks, links, name, read

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name)
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def assert_like(got: str, wanted: str, place: str) -> None:
    """``...`` in what is wanted stands for anything."""
    assert doctest.OutputChecker().check_output(wanted, got, LIKE), f"{place} printed:\n{got}"


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown under it."""
    joined = re.sub(r"\\\n\s*", "", text)
    parts = re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]
    return [tuple(part.partition("\n")[::2]) for part in parts]


def run_program(command: str, monkeypatch, capsys) -> str:
    """Run the program as the shell would; what it printed, or its complaint."""
    words = shlex.split(command, comments=True)
    assert words[0] == "penstock"
    if "<" in words:
        at = words.index("<")
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(words[at + 1]).read_bytes()))
        )
        words = words[:at]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert end.value.code in (None, 0, 2), printed.err
    complaint = printed.err[printed.err.rfind("penstock: ") :]
    return complaint if end.value.code else printed.out


@every_document
def test_examples_run_and_print_what_is_shown(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CELLS, "_entries", dict(CELLS))  # a document may add a cell
    torch.manual_seed(0)
    names: dict[str, object] = {"__name__": "document"}
    printed = ""
    for block in blocks(path):
        place = f"{path}:{block.line}"
        if block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
            with redirect_stdout(io.StringIO()) as stream:
                exec(code, names)
            printed = stream.getvalue()
        elif block.language == "output":
            assert_like(printed, block.text, place)
        elif block.language == "console":
            capsys.readouterr()
            for command, shown in commands(block.text):
                assert_like(run_program(command, monkeypatch, capsys), shown, place)


@every_document
def test_equations_parse(path):
    for block in blocks(path):
        if block.language == "equations":
            parse(block.text)


def mistakes(path: Path) -> list[tuple[str, str]]:
    """Erroneous equations and the message shown; a single line stands in the message itself."""
    found = []
    for block in blocks(path):
        if block.language != "error":
            continue
        for item in re.split(r"\n\n", block.text.strip("\n")):
            text, cut, message = item.rpartition("----\n")
            if not cut:
                pictured = message.split("\n")[1:2]
                text = pictured[0][4:] if pictured else ""
            found.append((text, message))
    return found


@every_document
def test_errors_are_what_the_parser_prints(path):
    for text, message in mistakes(path):
        with pytest.raises(EquationError) as caught:
            parse(text)
        assert str(caught.value) == message


def reasons() -> list[str]:
    """A pattern for every reason that the package gives for refusing equations."""
    found = set()
    for file in sorted((Path(penstock.__file__).parent / "equations").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and getattr(
                node.func, "id", getattr(node.func, "attr", "")
            )
            if called in ("Mistake", "EquationError", "_mistake"):
                texts = [arg for arg in node.args if isinstance(arg, ast.JoinedStr | ast.Constant)]
                found |= {pattern(text) for text in texts}
    return sorted(found)


def pattern(text: ast.JoinedStr | ast.Constant) -> str:
    values = text.values if isinstance(text, ast.JoinedStr) else [text]
    parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".*" for v in values]
    return "".join(parts)


@pytest.mark.parametrize("reason", reasons())
def test_every_reason_for_an_error_is_documented(reason):
    shown = [message for _, message in mistakes(ROOT / "docs" / "equations.md")]
    assert any(re.search(rf": {reason}", line) for message in shown for line in message.split("\n"))


@every_document
def test_links_lead_somewhere(path):
    for link in links(path):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = path if not target else (path.parent / target).resolve()
        assert file.exists(), f"{name(path)} links to {link}"
        if anchor:
            assert anchor in anchors(file), f"{name(path)} links to {link}"


@every_document
def test_options_in_commands_exist(path):
    for block in blocks(path):
        if block.language not in ("sh", "console"):
            continue
        for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["penstock"]:
                check_command(words[1:], f"{name(path)}: {line}")


@every_document
def test_recipes_in_text_exist(path):
    for recipe in re.findall(r"--recipe ([\w.-]+)", read(path)):
        load_recipe(recipe)


def check_command(words: list[str], place: str) -> None:
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, place
        command, words = command.commands[words[0]], words[1:]
    known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    assert unknown == [], place
