"""A scrape as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The samples of one scrape: name -> the labels of each, with its value."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        self.families: set[str] = set()
        for family in text_string_to_metric_families(text):
            self.families.add(family.name)
            for sample in family.samples:
                self.samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the sample with these labels, among others; None without any."""
        for found, value in self.samples.get(f"task_scheduler_{name}", ()):
            if labels.items() <= found.items():
                return value
        return None

    def labels_of(self, metric: str) -> set[str]:
        return {label for labels, _ in self.samples.get(metric, ()) for label in labels}

    def values_of(self, metric: str, label: str) -> set[str]:
        return {labels[label] for labels, _ in self.samples.get(metric, ()) if label in labels}

    def has_all(self, names: Iterable[str]) -> bool:
        return set(names) <= set(self.samples)
