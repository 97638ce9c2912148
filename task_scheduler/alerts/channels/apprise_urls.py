"""The channel `apprise`: LINE, Slack, WeCom, DingTalk, Teams and a hundred other services by URL.

Responsible for: handing a message to the library of that name, which is an extra.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from task_scheduler.alerts.messages import ChannelError, Message, Reveal
from task_scheduler.i18n import translate

__all__ = ["AppriseTarget", "is_installed"]


def is_installed() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec("apprise") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseTarget:
    """The URLs of services, as apprise defines them; each may hold references to secrets."""

    urls: tuple[str, ...]

    @property
    def place(self) -> str:
        """The services; the rest of their URLs is secret."""
        return ", ".join(f"{url.partition(':')[0]}://…" for url in self.urls)

    def send(self, message: Message, reveal: Reveal) -> str:
        """Notify every service; raises ChannelError unless all of them took it."""
        try:
            apprise: Any = importlib.import_module("apprise")
        except ImportError as error:
            raise ChannelError(translate("alerts.apprise_missing")) from error
        services = apprise.Apprise()
        for url in self.urls:
            if not services.add(reveal(url)):
                kind = url.partition(":")[0]
                raise ChannelError(translate("alerts.apprise_url", kind=kind), is_final=True)
        if not services.notify(title=message.subject, body=message.text, body_format="text"):
            raise ChannelError(translate("alerts.apprise_refused"))
        return translate("alerts.accepted")
