"""What the tests of the configuration share: a folder, files in it, English sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.config import Config
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import set_language

Load = Callable[..., Config]
Problems = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Speak English, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    set_language("en")
    yield
    set_language("en")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a file with this text, in an empty environment unless one is given."""

    def load_text(text: str = "{}", **how: Any) -> Config:
        (tmp_path / "scheduler_config.json").write_text(text, encoding="utf-8")
        return Config.load(**{"environ": {}, **how})

    return load_text


@pytest.fixture
def problems(load: Load) -> Problems:
    """Load a file that is wrong, and return what is wrong with it."""

    def problems_of(text: str = "{}", **how: Any) -> list[dict[str, Any]]:
        with pytest.raises(ConfigError) as caught:
            load(text, **how)
        found: list[dict[str, Any]] = caught.value.values["problems"]
        return found

    return problems_of
