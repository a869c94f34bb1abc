"""From the coordinator's lines to what the display draws."""

from typing import Any

from fedtui.demo.watch import Watch


def status(**changed: Any) -> dict[str, Any]:
    found = {
        "task": "digits",
        "metric": "accuracy",
        "target": 0.9,
        "maximum": 10,
        "ended": None,
        "text": "round 2: collecting",
        "rounds": [
            {
                "round": number,
                "seconds": 1.5,
                "score": None if number == 0 else 0.5,
                "participants": 3,
                "dropped": 1,
                "bytes_up": None,
                "bytes_down": 7,
            }
            for number in (0, 1)
        ],
    }
    return {"event": "status", "status": found | changed}


def test_a_status_replaces_everything_and_the_initial_model_is_no_round() -> None:
    watch = Watch()
    watch.take(status())
    progress = watch.progress(4.0)
    assert (progress.metric, progress.target, progress.max_rounds) == ("accuracy", 0.9, 10)
    assert [row.round for row in progress.rows] == [1]
    assert progress.left_s == 1.5 * 9


def test_a_round_is_a_row_when_it_finished_and_has_a_score_when_it_was_measured() -> None:
    watch = Watch()
    watch.take(status())
    fields = {"round": 2, "attempt": 1, "seconds": 0.5, "participants": 4, "dropped": 1}
    watch.take({"event": "round finished", "ts": 1.0, **fields})
    assert [(row.round, row.accuracy) for row in watch.rows] == [(1, 0.5), (2, None)]
    assert (watch.rows[1].seconds, watch.rows[1].participants, watch.rows[1].dropped) == (
        0.5,
        4,
        1,
    )
    watch.take({"event": "scored", "ts": 1.0, "round": 2, "score": 0.75, "num_nodes": 4})
    assert [row.accuracy for row in watch.progress(0.0).rows] == [0.5, 0.75]


def test_the_score_of_the_initial_model_makes_no_row() -> None:
    watch = Watch()
    watch.take({"event": "scored", "ts": 1.0, "round": 0, "score": 0.1, "num_nodes": 4})
    assert watch.rows == ()


def test_bytes_come_with_the_events_and_stay_none_where_nobody_knows_them() -> None:
    watch = Watch()
    watch.take(status())
    assert (watch.rows[0].bytes_up, watch.rows[0].bytes_down) == (None, 7)
    fields = {"round": 2, "attempt": 1, "seconds": 0.5, "participants": 4, "dropped": 1}
    watch.take({"event": "round finished", "bytes_up": 5, "bytes_down": 6} | fields)
    assert (watch.rows[1].bytes_up, watch.rows[1].bytes_down) == (5, 6)
    watch.take({"event": "scored", "round": 2, "score": 0.5, "bytes_up": 8, "bytes_down": 9})
    assert (watch.rows[1].bytes_up, watch.rows[1].bytes_down) == (8, 9)
    watch.take({"event": "scored", "round": 1, "score": 0.5})  # of an earlier life
    assert (watch.rows[0].bytes_up, watch.rows[0].bytes_down) == (None, 7)


def test_progress_of_nodes_is_kept_until_the_next_round() -> None:
    watch = Watch()
    watch.take({"event": "round started", "round": 3, "attempt": 2, "cohort": 2})
    assert "attempt 2" in watch.sentence
    watch.take({"event": "progress", "label": "a", "stage": "train", "fraction": 0.5})
    watch.take({"event": "update", "label": "b", "updates": 1, "cohort": 2, "round": 3})
    nodes = {node.label: node for node in watch.progress(0.0).nodes}
    assert nodes["a"].fraction == 0.5
    assert nodes["b"].standing == "update received"
    watch.take({"event": "round started", "round": 4, "attempt": 1, "cohort": 2})
    assert {node.standing for node in watch.progress(0.0).nodes} == {"offered"}


def test_waiting_is_said_with_numbers() -> None:
    watch = Watch()
    watch.take({"event": "phase", "phase": "gathering", "present": 2, "needed": 5})
    assert watch.sentence == "waiting for 5 nodes, 2 are here"


def test_the_end_is_seen_in_an_event_and_in_a_status() -> None:
    watch = Watch()
    watch.take({"event": "ended", "text": "target reached", "round": 3})
    assert watch.ended == "target reached"
    other = Watch()
    other.take(status(ended="all rounds done"))
    assert other.ended == "all rounds done"


def test_a_round_goes_through_its_phases() -> None:
    watch = Watch()
    seen = []
    for line in (
        {"event": "phase", "phase": "gathering", "present": 2, "needed": 5},
        {"event": "round started", "round": 1, "attempt": 1, "cohort": 2},
        {"event": "phase", "phase": "aggregating"},
        {"event": "phase", "phase": "evaluating"},
        {"event": "ended", "text": "over", "round": 1},
    ):
        watch.take(line)
        seen.append(watch.progress(0.0).phase)
    assert seen == ["gather", "train", "combine", "measure", ""]


def test_unknown_lines_change_nothing() -> None:
    watch = Watch()
    before = watch.progress(0.0)
    watch.take({"event": "something new", "label": 7})
    watch.take({})
    assert watch.progress(0.0) == before


def test_what_is_left_counts_all_that_lies_between_two_rounds() -> None:
    watch = Watch(max_rounds=10)
    for number, began in ((1, 100.0), (2, 104.0), (3, 110.0)):
        watch.take({"event": "round started", "ts": began, "round": number, "attempt": 1})
        if number == 3:
            break
        fields = {"round": number, "seconds": 0.5, "participants": 4, "dropped": 0}
        watch.take({"event": "round finished", "ts": began + 0.5} | fields)
        if number == 1:
            assert watch.progress(0.0).left_s == 0.5 * 9, "nothing better is known yet"
    assert watch.progress(0.0).left_s == 5.0 * 8
