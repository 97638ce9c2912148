"""Lines of Prometheus' text format, as its own parser reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from task_scheduler.observe.exposition import Exposition, labels_of

AWKWARD = {"plain": "a", "quoted": 'say "hi"\\n', "lines": "one\ntwo", "fish": "魚 🐟", "empty": ""}


def read(page: Exposition) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(page.bytes().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_whatever_a_label_says_is_read_as_it_was() -> None:
    page = Exposition()

    page.gauge("x", "Help.", 1.5, labels_of(AWKWARD))

    assert read(page) == {"task_scheduler_x": [(AWKWARD, 1.5)]}


def test_a_counter_ends_in_total_and_a_number_is_read_as_it_was() -> None:
    page = Exposition()
    numbers = [0, True, 3, 1e-7, 1.1, 1e300, 2**60, float("inf")]

    page.counter("n", "Help.", [(labels_of({"i": str(i)}), n) for i, n in enumerate(numbers)])

    found = read(page)["task_scheduler_n_total"]
    assert [value for _, value in found] == [float(number) for number in numbers]


def test_a_histogram_has_its_buckets_its_count_and_its_sum() -> None:
    page = Exposition()

    page.begin("d_seconds", "histogram", "Help.")
    page.histogram("d_seconds", labels_of({"task": "a"}), [("0.5", 1.0), ("+Inf", 3.0)], 7.25)
    page.begin("e_seconds", "histogram", "Help.")
    page.histogram("e_seconds", "", [("+Inf", 0.0)], 0.0)

    found = read(page)
    assert found["task_scheduler_d_seconds_bucket"] == [
        ({"task": "a", "le": "0.5"}, 1.0),
        ({"task": "a", "le": "+Inf"}, 3.0),
    ]
    assert found["task_scheduler_d_seconds_count"] == [({"task": "a"}, 3.0)]
    assert found["task_scheduler_d_seconds_sum"] == [({"task": "a"}, 7.25)]
    assert found["task_scheduler_e_seconds_count"] == [({}, 0.0)]


def test_others_get_the_interpreter_in_between() -> None:
    rests: list[int] = []
    page = Exposition(rest=lambda: rests.append(1))

    page.gauges("x", "Help.", [(labels_of({"i": str(i)}), i) for i in range(10_000)])

    assert len(read(page)["task_scheduler_x"]) == 10_000
    assert len(rests) >= 20
