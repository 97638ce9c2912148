"""The channel `apprise` with the library itself: its `json://` service, to a receiver here."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from task_scheduler import FunctionTask, TaskScheduler
from task_scheduler.alerts.channels.apprise_urls import AppriseTarget, is_installed
from tests.integration.alerts import work
from tests.integration.alerts.conftest import until
from tests.integration.alerts.servers import Receiver
from tests.integration.alerts.test_channels import MESSAGE, plainly, refused

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*"),
]


def service(receiver: Receiver, path: str = "hook") -> str:
    return f"json://{receiver.url.removeprefix('http://')}/{path}"


def test_the_library_is_there() -> None:
    assert is_installed()


def test_a_message_arrives_with_its_title_and_its_text(receiver: Receiver) -> None:
    target = AppriseTarget(urls=(service(receiver, "${secret:t}"),))

    target.send(MESSAGE, lambda text: text.replace("${secret:t}", "token"))

    [request] = receiver.requests
    body = json.loads(request["body"])
    assert request["path"].strip("/") == "token"
    assert body["title"] == MESSAGE.subject
    assert body["message"].splitlines()[:2] == ["第一行", "second"]


def test_every_service_is_told(receiver: Receiver) -> None:
    AppriseTarget(urls=(service(receiver, "a"), service(receiver, "b"))).send(MESSAGE, plainly)

    assert {path.strip("/") for path in receiver.paths} == {"a", "b"}


def test_a_service_that_refuses_is_tried_again(receiver: Receiver) -> None:
    receiver.code = 500

    assert not refused(AppriseTarget(urls=(service(receiver),))).is_final


def test_a_url_that_the_library_does_not_know_is_refused_for_good() -> None:
    error = refused(AppriseTarget(urls=("nothing-known://x",)))

    assert error.is_final
    assert "nothing-known" in error.why


def test_a_failure_is_told_through_it(
    started: Callable[..., TaskScheduler], receiver: Receiver
) -> None:
    scheduler = started(
        {"channels": {"line": {"apprise": {"urls": [service(receiver)]}}}},
    )

    scheduler.add_task(FunctionTask("fails", "Fails", work.fail))
    scheduler.run_task("fails")

    [request] = until(lambda: receiver.requests)
    assert "fails" in json.loads(request["body"])["title"]
    until(lambda: scheduler.alert_log()[0]["state"] == "delivered")
