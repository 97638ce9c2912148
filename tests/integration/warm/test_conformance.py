"""A script that is started warm cannot be told from one that ``python script.py`` runs.

Compared byte for byte: output (of both streams, as it came), exit code or signal, the error that is
recorded, and the files that were made. Made equal before: the name of the attempt's folder, and
addresses of objects.
"""

from __future__ import annotations

import pytest

from tests.integration.warm import cases_cold, cases_ends, cases_teardown, cases_world
from tests.integration.warm.case import Case
from tests.integration.warm.stage import Stage

CASES = [*cases_ends.CASES, *cases_teardown.CASES, *cases_world.CASES, *cases_cold.CASES]


def put(stage: Stage, case: Case) -> str:
    """Write the files of a case and return its script."""
    encoding = "latin-1" if case.is_latin else "utf-8"
    # Not called like a module that another script imports: it would find this one.
    name = case.name if "/" in case.name else f"case_{case.name}"
    script = stage.scripts / f"{name}.py"
    for path, content in {str(script): case.source, **case.files}.items():
        place = stage.scripts / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode(encoding))
    return str(script)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_warm_start_cannot_be_told_from_a_cold_one(shared_stage: Stage, case: Case) -> None:
    stage = shared_stage
    script = put(stage, case)
    beside = {
        name: value.replace("{beside}", str(stage.scripts)) for name, value in case.env.items()
    }
    env = {name: value.replace("{cwd}", str(stage.cwd)) for name, value in beside.items()}

    cold = stage.run(script, *case.args, env=env, preload=None, confinement=case.confinement)
    warm = stage.run_warm(script, *case.args, env=env, confinement=case.confinement)

    assert warm == cold
    start = stage.last_start()
    if case.stays_cold == "-":
        assert start == "cold"
    elif case.stays_cold:
        assert start == f"cold: {case.stays_cold}"
    else:
        assert start == "warm"


def test_the_suite_is_as_large_as_it_has_to_be() -> None:
    assert len({case.name for case in CASES if not case.stays_cold}) >= 60
