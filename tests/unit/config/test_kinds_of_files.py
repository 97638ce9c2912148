"""JSON, TOML, YAML and Python say the same, and are told of what is wrong in the same way."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.config import Config
from task_scheduler.config.document import parse_document
from task_scheduler.config.toml_document import parse_toml
from task_scheduler.config.written import document_text
from task_scheduler.config.yaml_document import parse_yaml
from task_scheduler.errors import ConfigError

PARSERS = {"json": parse_document, "toml": parse_toml, "yaml": parse_yaml}

TEXTS = {
    "json": """\
{
  "scheduler": {"max_workers": 3},
  "pools": {"serial": 1},
  "calendars": {"off": {"days": ["12-31"]}},
  "alerts": {"channels": {"me": {"command": {"argv": ["true"]}}}, "rules": [{"on": ["failed"]}]},
  "entries": {
    "pump": {"type": "command", "command": ["echo", "hi"], "daily": "22:00", "pool": "serial"},
    "池塘": {"type": "command", "command": ["true"], "every": "1h", "env": {"A": "1"},
             "exclude": "off"}
  }
}
""",
    "toml": """\
[scheduler]
max_workers = 3

[pools]
serial = 1

[calendars.off]
days = ["12-31"]

[alerts.channels.me.command]
argv = ["true"]

[[alerts.rules]]
on = ["failed"]

[entries.pump]
type = "command"
command = ["echo", "hi"]   # says hi
daily = "22:00"
pool = "serial"

[entries."池塘"]
type = "command"
command = ["true"]
every = "1h"
env.A = "1"
exclude = "off"
""",
    "yaml": """\
scheduler: {max_workers: 3}
pools:
  serial: 1
calendars:
  off:
    days: ["12-31"]
alerts:
  channels:
    me: {command: {argv: ["true"]}}
  rules:
    - on: [failed]
entries:
  pump: &usual
    type: command
    command: [echo, hi]   # says hi
    daily: 22:00
    pool: serial
  池塘:
    type: command
    command: ["true"]
    every: 1h
    env: {A: "1"}
    exclude: off
""",
    "py": """\
config = {
    "scheduler": {"max_workers": 3},
    "pools": {"serial": 1},
    "calendars": {"off": {"days": ["12-31"]}},
    "alerts": {"channels": {"me": {"command": {"argv": ["true"]}}}, "rules": [{"on": ["failed"]}]},
    "entries": {
        "pump": {"type": "command", "command": ("echo", "hi"), "daily": "22:00", "pool": "serial"},
        "池塘": {
            "type": "command", "command": ["true"], "every": "1h", "env": {"A": "1"},
            "exclude": "off",
        },
    },
}
""",
}


def load(text: str, suffix: str, folder: Path) -> Config:
    path = folder / f"farm.{suffix}"
    path.write_text(text, encoding="utf-8")
    return Config.load(path, environ={})


def problems_of(text: str, suffix: str, folder: Path) -> list[dict[str, Any]]:
    with pytest.raises(ConfigError) as caught:
        load(text, suffix, folder)
    found: list[dict[str, Any]] = caught.value.values["problems"]
    return found


@pytest.mark.parametrize("suffix", ["toml", "yaml", "py"])
def test_every_kind_says_the_same(suffix: str, tmp_path: Path) -> None:
    expected = load(TEXTS["json"], "json", tmp_path)

    found = load(TEXTS[suffix], suffix, tmp_path)

    assert found.settings == expected.settings
    assert len(found.declared()) == 2


@pytest.mark.parametrize("suffix", ["json", "toml", "yaml"])
def test_what_is_wrong_is_told_at_its_place_with_the_same_sentence(
    suffix: str, tmp_path: Path
) -> None:
    text = TEXTS[suffix].replace("22:00", "25:00").replace("max_workers", "max_worker")

    found = problems_of(text, suffix, tmp_path)

    assert [problem["key"] for problem in found] == ["scheduler.max_worker", "entries.pump.daily"]
    lines = text.splitlines()
    for problem, word in zip(found, ["max_worker", "25:00"], strict=True):
        line = lines[problem["line"] - 1]
        assert word in line[problem["column"] - 1 :][: len(word) + 1]
        assert problem["file"] == str(tmp_path / f"farm.{suffix}")
    assert "did you mean 'max_workers'" in found[0]["message"]


@pytest.mark.parametrize("suffix", ["json", "toml", "yaml"])
def test_a_key_that_is_missing_is_told_where_it_is_missing(suffix: str, tmp_path: Path) -> None:
    values = {"entries": {"a": {"type": "command", "every": 5}}}
    text = document_text(values, suffix)

    (problem,) = problems_of(text, suffix, tmp_path)

    assert problem["key"] == "entries.a.command"
    assert 0 < problem["line"] <= len(text.splitlines())


@pytest.mark.parametrize(
    ("suffix", "text", "place", "what", "line"),
    [
        ("toml", "[scheduler]\nmax_workers = = 3\n", ":2:15", "no TOML", "max_workers = = 3"),
        ("toml", "a = 1\na = 2\n", ":2:6", "Cannot overwrite a value", "a = 2"),
        ("toml", "[a", ":1:3", "no TOML", "[a"),
        ("yaml", "a: 1\n b: 2\n", ":2:3", "no YAML", " b: 2"),
        ("yaml", "a: [1\nb: 2\n", ":2:2", "no YAML", "b: 2"),
        ("yaml", "a: \x01\n", ":1:4", "no YAML", "a: "),
        ("py", "config = {\n  'a': 1 1\n}\n", ":2:", "SyntaxError", "  'a': 1 1"),
        ("py", "x = 1\nraise OSError('no farm')\n", ":2:1", "no farm", "raise OSError"),
        ("py", "import sys\nsys.exit(3)\n", ":2:1", "SystemExit", "sys.exit(3)"),
    ],
)
def test_broken_grammar_is_shown_with_its_line(  # noqa: PLR0917  a table
    suffix: str, text: str, place: str, what: str, line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, suffix, tmp_path)

    shown = str(caught.value)
    assert f"farm.{suffix}{place}" in shown.splitlines()[0]
    assert what in shown
    assert line in shown.splitlines()[1]


@pytest.mark.parametrize(
    ("suffix", "text", "what"),
    [
        ("toml", " \n", r"\[scheduler\]"),
        ("yaml", "# nothing\n", r"Write \{\}"),
        ("yaml", "- 1\n- 2\n", "must be an object"),
        ("py", "x = 1\n", "no mapping in the variable config"),
        ("ini", "[a]", "ini files are not read"),
    ],
)
def test_a_file_without_sections_is_told_with_the_remedy(
    suffix: str, text: str, what: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=what):
        load(text, suffix, tmp_path)


def test_yaml_is_read_as_people_mean_it() -> None:
    text = "no: no\ntime: 22:00\nday: 2026-01-01\nnull_: ~\nyes_: true\noct: 0o17\nf: 1e3\nq: '5'"

    assert parse_yaml(text, "c.yaml").value == {
        "no": "no",
        "time": "22:00",
        "day": "2026-01-01",
        "null_": None,
        "yes_": True,
        "oct": 15,
        "f": 1000.0,
        "q": "5",
    }


def test_anchors_and_merged_keys_of_yaml_are_followed() -> None:
    text = "a: &a {x: 1, y: 2}\nb:\n  y: 3\n  <<: *a\nc: *a\n"

    document = parse_yaml(text, "c.yaml")

    assert document.value["b"] == {"x": 1, "y": 3}
    assert document.value["c"] == {"x": 1, "y": 2}
    assert document.place(("b", "y")).label == "c.yaml:3:6"


def test_what_yaml_allows_and_we_do_not_is_noted_and_the_reading_goes_on() -> None:
    text = "a: 1\na: 2\nb: !!python/name:os.system\nc: .inf\n? [x]\n: 1\nd:\n  <<: 5\n"

    document = parse_yaml(text, "c.yaml")

    assert [problem.place.line for problem in document.problems] == [2, 3, 4, 5, 8]


@pytest.mark.parametrize("text", ["- " * 5000, "[" * 5000, "{a: " * 5000, "a: &a [*a]\n"])
def test_no_yaml_is_too_deep_for_us(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_yaml(text, "c.yaml")


def test_a_few_aliases_that_stand_for_billions_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(ConfigError, match=r"aliases stand for more than"):
        parse_yaml("\n".join(lines), "c.yaml")


def test_merges_that_come_to_nothing_a_billion_times_are_refused() -> None:
    lines = ["a0: &a0 {}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 20)]

    with pytest.raises(ConfigError, match=r"aliases stand for more than"):
        parse_yaml("\n".join(lines), "c.yaml")


@pytest.mark.parametrize(
    "text", ["a: &a\n  <<: *a\n  x: 1\n", "a: &a\n  x: 1\n  b: &b\n    <<: [*a, *b]\n"]
)
def test_an_object_that_takes_in_itself_is_told_with_its_place(text: str) -> None:
    document = parse_yaml(text, "c.yaml")

    assert document.problems
    assert {problem.sentence for problem in document.problems} == {
        "<< takes an object of keys, or a list of them"
    }


@pytest.mark.parametrize("text", ["a = " + "[" * 3000 + "]" * 3000, "a = 1" + "0" * 5000])
def test_no_toml_is_too_deep_or_long_for_us(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_toml(text, "c.toml")


def test_moments_of_toml_are_text_and_what_is_no_number_is_noted() -> None:
    document = parse_toml("a = 2026-01-01 08:00:00\nb = 07:32:00\nc = nan\n", "c.toml")

    assert document.value == {"a": "2026-01-01T08:00:00", "b": "07:32:00", "c": None}
    assert [problem.place.label for problem in document.problems] == ["c.toml:3:5"]


KEYS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
PLAIN = st.recursive(
    st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, st.dictionaries(KEYS, PLAIN, max_size=3), min_size=1, max_size=3)


@pytest.mark.parametrize("kind", ["json", "toml", "yaml"])
@given(values=DOCUMENTS)
def test_what_is_written_is_read_as_it_was_and_every_part_has_a_place(
    kind: str, values: dict[str, Any]
) -> None:
    text = document_text(values, kind)

    document = PARSERS[kind](text, "c")

    assert document.value == values
    for section, keys in values.items():
        for key in keys:
            path = (section, key)
            assert path in document.value_offsets
            start, end = document.value_offsets[path], document.value_ends.get(path)
            assert end is None or 0 <= start <= end <= len(text)


# -- several files --------------------------------------------------------------------------------


def test_a_file_includes_others_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "tasks.d").mkdir()
    (tmp_path / "tasks.d" / "b.yaml").write_text(
        "entries: {b: {type: command, command: [x], every: 5}}"
    )
    (tmp_path / "tasks.d" / "a.json").write_text('{"pools": {"p": 1}}')
    (tmp_path / "tasks.d" / ".c.yaml").write_text("entries: {hidden: {}}")
    text = 'include = ["tasks.d/*.yaml", "tasks.d/*.json"]\n[entries.a]\ntype = "command"\n'
    text += 'command = ["x"]\nevery = 5\npool = "p"\n'

    config = load(text, "toml", tmp_path)

    assert sorted(config.settings.entries) == ["a", "b"]
    assert [path.name for path in config.files.paths] == ["farm.toml", "b.yaml", "a.json"]


def test_a_task_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    one = "entries: {a: {type: command, command: [x], every: 5}}"
    (tmp_path / "b.yaml").write_text(f"\n{one}")

    (problem,) = problems_of(f"include: b.yaml\n{one}", "yaml", tmp_path)

    assert problem["file"] == str(tmp_path / "b.yaml")
    assert "entries.a is given in" in problem["message"]
    assert "farm.yaml:2:11" in problem["message"]


@pytest.mark.parametrize(
    ("include", "what"),
    [
        ('"gone.toml"', "there is no file"),
        ("5", "include names files"),
        ('["a", 5]', "include names files"),
        ('"nested.toml"', "only the file that is named may include"),
    ],
)
def test_an_include_that_leads_nowhere_is_told(include: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "nested.toml").write_text('include = "x.toml"')
    (tmp_path / "a").write_text("{}")

    found = problems_of(f"include = {include}\n", "toml", tmp_path)

    assert re.search(what, found[0]["message"])
    assert found[0]["line"] == 1


def test_a_problem_in_an_included_file_is_placed_there(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(
        "[entries.b]\ntype = 'command'\ncommand = ['x']\nevery = 'x'\n"
    )

    (problem,) = problems_of("include: '*.toml'\n", "yaml", tmp_path)

    assert (problem["file"], problem["line"]) == (str(tmp_path / "b.toml"), 4)


def test_two_files_of_the_default_name_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "scheduler_config.toml").write_text("[scheduler]")
    assert Config.load(environ={}, folder=tmp_path).path == tmp_path / "scheduler_config.toml"

    (tmp_path / "scheduler_config.yaml").write_text("{}")

    with pytest.raises(ConfigError, match=r"scheduler_config\.toml, scheduler_config\.yaml"):
        Config.load(environ={}, folder=tmp_path)


def test_no_python_is_run_that_nobody_named(tmp_path: Path) -> None:
    (tmp_path / "scheduler_config.py").write_text("raise SystemExit")

    assert Config.load(environ={}, folder=tmp_path).path is None


def test_functions_may_stand_in_a_file_of_python(tmp_path: Path) -> None:
    text = (
        "import json\ndef work(): ...\nconfig = {'entries': {n: {'type': 'function', 'every': 5,\n"
    )
    text += "  'function': f} for n, f in [('a', work), ('b', json.dumps)]}}\n"

    config = load(text, "py", tmp_path)

    functions = {name: entry.function for name, entry in config.settings.entries.items()}  # type: ignore[attr-defined]
    assert functions == {"a": "farm:work", "b": "json:dumps"}


def test_a_file_of_python_finds_the_modules_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "pond_names_for_this_test.py").write_text("NAMES = ['north']\n")
    text = "from pond_names_for_this_test import NAMES\n"
    text += (
        "config = {'entries': {n: {'type': 'command', 'command': [n], 'every': 5} for n in NAMES}}"
    )

    config = load(text, "py", tmp_path)

    assert list(config.settings.entries) == ["north"]


def test_what_the_same_source_says_now_stands_beside_what_it_said(tmp_path: Path) -> None:
    config = load(TEXTS["toml"], "toml", tmp_path)
    load(TEXTS["toml"].replace("max_workers = 3", "max_workers = 4"), "toml", tmp_path)

    found = config.again()

    assert (config.settings.scheduler.max_workers, found.settings.scheduler.max_workers) == (3, 4)
    assert found.files.fingerprint != load(TEXTS["toml"], "toml", tmp_path).files.fingerprint
    put_back = config.kept()
    config.adopt(found)
    assert config.settings.scheduler.max_workers == 4
    put_back()
    assert config.settings.scheduler.max_workers == 3


def test_values_that_came_from_elsewhere_are_known_by_their_references(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret")
    text = "entries: {a: {type: command, command: [x, '-k ${file:key}'], every: 5,\n"
    text += "  env: {K: '${file:key}'}}}"

    config = load(text, "yaml", tmp_path)

    assert config.references_of("a") == {
        ("command", 1): "-k ${file:key}",
        ("env", "K"): "${file:key}",
    }


PIECES = st.sampled_from(
    [
        *"[]{}=.,#'\"\n\\ \t-:&*!|>?%@`~<",
        '"""',
        "'''",
        "[[",
        "]]",
        "\r\n",
        "a",
        "1",
        "é",
        "0x",
        "<<",
        "- ",
    ]
)


@pytest.mark.parametrize("kind", ["toml", "yaml"])
@given(data=st.data())
def test_a_spoilt_text_is_read_or_refused_and_every_problem_has_a_place(
    kind: str, data: st.DataObject
) -> None:
    text = TEXTS[kind]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(PIECES) + text[end:]

    refusal = None
    try:
        document = PARSERS[kind](text, "c")
    except ConfigError as error:
        refusal = error
    if refusal is not None:
        lines = text.count("\n") + text.count("\r") + 1
        assert refusal.key != "config.syntax" or 1 <= refusal.values["line"] <= lines
        return

    for path, start in document.value_offsets.items():
        assert 0 <= start <= len(text), path
        assert start <= document.value_ends.get(path, start) <= len(text), path
