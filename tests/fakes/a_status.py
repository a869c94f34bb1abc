"""Statuses of a node as screens meet them: at work, offline, alarmed, empty, hostile. No clock.

All of them are at `NOW`, 2026-11-24 12:04:51 UTC.
"""

import math

from msgspec.structs import replace

from fedtui.status import (
    Alarm,
    Coordinator,
    Leaves,
    LedgerLine,
    Limits,
    LogLine,
    Machine,
    NodeStatus,
    OwnScore,
    PastRound,
    Peer,
    PlanSummary,
    Privacy,
    Problem,
    Receipt,
    Round,
    Score,
    Step,
    Traffic,
    Training,
)

NOW = 1_795_521_891.0
DAY_START = NOW - NOW % 86400
MODEL_BYTES = 1_200_000
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]52;c;ZXZpbA==\x07",
    "\u202edrowssap\u202c",
    "[@click=app.quit]press[/]",
    "[bold red]loud[/bold red]",
    "x" * 10_000,
    "a" + "\u0301" * 300,
    "line\nbreak\ttab\rreturn\x00nul\x9b31m",
)
PLAN = PlanSummary(
    plan_hash="7c1e" * 16,
    federation="mnist-clinics",
    task="digits",
    metric="accuracy",
    max_rounds=50,
    strategy="fedavg",
    training="3 epochs, batches of 32, learning rate 0.05",
    model="cnn-small, 300 k parameters",
    num_model_bytes=MODEL_BYTES,
    leaves=(
        Leaves(
            item="model update 1.2 MB",
            form="masked",
            reader="only the sum of at least 5",
            when="each round",
            can="pause, leave",
        ),
        Leaves(
            item="number of examples",
            form="masked, in the update",
            reader="only sums",
            when="each round",
        ),
        Leaves(
            item="node name, address, times",
            form="encrypted",
            reader="the coordinator",
            when="while connected",
            can="use an alias",
            source="coord",
        ),
    ),
    stays="images, labels, file names, paths, your local model",
    privacy="The coordinator sees only the sum of at least 5 updates.",
    needs="28x28 grey images, labels 0 to 9",
    worst="coordinator and 7 of 8 nodes together can isolate your update",
    form_hash="a4" * 32,
)
RECEIPT = Receipt(
    plan_hash=PLAN.plan_hash,
    form_hash=PLAN.form_hash,
    coordinator="bk6l uzeo plup ubbr",
    at=NOW - 4 * 86400,
    data="~/data/mnist_alder",
    data_digest="51" * 32,
    limits="cpu 100 %, upload 500 MB/day",
)
PRIVACY = Privacy(
    masked=True,
    cohort=8,
    threshold=5,
    minimum=5,
    colluders=3,
    coordinator_sees="only the sum of at least 5",
    others_see="nothing of yours",
    if_collude="the coordinator and 7 of 8 nodes together isolate your update",
    keystream="XChaCha20",
    roster_hash="9d" * 32,
)


def losses(count: int = 240) -> tuple[float, ...]:
    """A loss that falls from about 2.5 to 0.3, with small waves."""
    return tuple(
        0.28 + 2.2 * math.exp(-place / 38) + 0.05 * math.sin(place * 1.7) ** 2
        for place in range(count)
    )


def scores(count: int = 11) -> tuple[Score, ...]:
    climb = (0.11, 0.42, 0.63, 0.74, 0.81, 0.86, 0.89, 0.91, 0.925, 0.934, 0.933)
    return tuple(
        Score(round=n + 1, metric="accuracy", score=climb[n], num_examples=48_000, num_nodes=8)
        for n in range(min(count, len(climb)))
    )


def own_scores() -> tuple[OwnScore, ...]:
    return tuple(
        OwnScore(
            round=one.round,
            metric="accuracy",
            before=max(0.0, one.score - 0.02),
            after=max(0.0, one.score - 0.05),
            num_examples=600,
        )
        for one in scores()
    )


def steps(now: str = "train") -> tuple[Step, ...]:
    """The steps of a masked round, as far as `now`."""
    order = ("selected", "download", "train", "share", "mask", "upload", "confirm", "aggregate")
    place = order.index(now)
    seconds = (0.1, 0.8, 22.0, 0.4, 0.2, 0.9, 1.4, 0.6)
    num_bytes = (0, MODEL_BYTES, 0, 4_100, 0, MODEL_BYTES, 2_048, 0)
    made = []
    for index, phase in enumerate(order):
        state = "done" if index < place else "now" if index == place else "waiting"
        made.append(
            Step(
                phase=phase,  # type: ignore[arg-type]
                state=state,  # type: ignore[arg-type]
                began_at=NOW - 14 if index == place else 0.0,
                seconds=seconds[index] if state == "done" else 14.0 if state == "now" else 0.0,
                num_bytes=num_bytes[index] if state == "done" else 0,
            )
        )
    return tuple(made)


def past() -> tuple[PastRound, ...]:
    """Eleven rounds, two of which did not count."""
    outcomes = {4: "late", 7: "sat out"}
    rounds = []
    for one in scores():
        outcome = outcomes.get(one.round, "counted")
        rounds.append(
            PastRound(
                number=one.round,
                attempt=1,
                outcome=outcome,  # type: ignore[arg-type]
                ended_at=NOW - (12 - one.round) * 62,
                seconds=58.0 + one.round,
                score=one.score,
                num_updates=8 if outcome == "counted" else 7,
                cohort=8,
                dropped=0 if outcome == "counted" else 1,
                masked=True,
                threshold=5,
                bytes_up=MODEL_BYTES if outcome == "counted" else 0,
                bytes_down=MODEL_BYTES,
                reason={"late": "missed the deadline by 4 s", "sat out": "sampled 5 of 8"}.get(
                    outcome, ""
                ),
                steps=tuple(replace(step, state="done") for step in steps("aggregate")),
            )
        )
    return tuple(rounds)


def log() -> tuple[LogLine, ...]:
    return (
        LogLine(at=NOW - 140, level="info", text="round 11 begins, cohort 8", source="round"),
        LogLine(
            at=NOW - 120,
            level="ok",
            text="sent the masked update of round 11: 1.2 MB",
            source="privacy",
        ),
        LogLine(at=NOW - 80, level="info", text="connection resumed after 0.8 s", source="link"),
        LogLine(
            at=NOW - 53,
            level="ok",
            text="round 11 aggregated: accuracy 0.934 (+0.003)",
            source="round",
        ),
        LogLine(
            at=NOW - 31,
            level="warning",
            text="maple lost (heartbeat 10 s); 7 of 8 left, threshold 5",
            source="peer",
        ),
        LogLine(at=NOW - 25, level="info", text="epoch 1/3 loss 0.482 val 0.451", source="train"),
    )


def ledger() -> tuple[LedgerLine, ...]:
    return tuple(
        LedgerLine(
            at=NOW - (12 - number) * 62,
            round=number,
            attempt=1,
            what="masked update, 300 k values",
            num_bytes=MODEL_BYTES,
            form="masked",
            receiver="clinic-coord",
            digest=f"{number:02x}" * 32,
        )
        for number in range(1, 12)
    )


def rates(peak: int, every: int, offset: int) -> tuple[int, ...]:
    return tuple(peak if (n + offset) % every == 0 else peak // 40 for n in range(120))


def normal() -> NodeStatus:
    """Training in round 12 of 50, all well."""
    return NodeStatus(
        seq=400,
        label="alder-ws",
        profile="default",
        node_id="0a" * 32,
        fingerprint="QWER-TYUI-OPAS-DFGH-JKLZ-XCVB-NMQW-ERTY",
        version="0.1.0",
        pid=4121,
        started_at=NOW - 7800,
        state="training",
        sentence="training for round 12 on your examples",
        coordinator=Coordinator(
            label="clinic-coord",
            address="192.168.1.20:8443",
            fingerprint="BK6L-UZEO-PLUP-UBBR-AAAA-BBBB-CCCC-DDDD",
            pinned_at=NOW - 4 * 86400,
        ),
        plan=PLAN,
        consented=True,
        receipt=RECEIPT,
        round=Round(
            number=12,
            attempt=1,
            phase="train",
            deadline_at=NOW + 46,
            steps=steps(),
            cohort=8,
        ),
        rounds=past(),
        training=Training(
            fraction=0.54,
            epoch=2,
            num_epochs=3,
            batch=118,
            num_batches=188,
            loss=0.338,
            examples_per_s=812.0,
            left_s=8.0,
            reported_at=NOW - 0.3,
            losses=losses(),
        ),
        rounds_counted=9,
        rounds_late=1,
        scores=scores(),
        own_scores=own_scores(),
        traffic=Traffic(
            up=14_900_000,
            down=15_200_000,
            up_today=14_100_000,
            down_today=14_900_000,
            up_per_s=1_200_000.0,
            down_per_s=30_000.0,
            round_trip_s=0.004,
            round_trip_p50_s=0.004,
            round_trip_p99_s=0.011,
            jitter_s=0.002,
            up_rates=rates(1_200_000, 30, 0),
            down_rates=rates(1_100_000, 30, 14),
        ),
        machine=Machine(
            cpu_percent=62.0,
            trainer_pid=4127,
            trainer_nice=10,
            trainer_threads=1,
            trainer_memory_mb=346.0,
            power="AC",
            num_cores=2,
        ),
        limits=Limits(max_upload_mb_per_day=500),
        privacy=PRIVACY,
        roster=(
            Peer(fingerprint="QWER-TYUI-OPAS-DFGH-JKLZ-XCVB-NMQW-ERTY", is_me=True),
            *(
                Peer(
                    fingerprint=f"PEER-{name}-AAAA-BBBB-CCCC-DDDD-EEEE-FFFF",
                    is_new=name == "BBBB",
                    lost=name == "GGGG",
                )
                for name in ("AAAA", "BBBB", "CCCC", "DDDD", "EEEE", "FFFF", "GGGG")
            ),
        ),
        ledger=ledger(),
        log=log(),
    )


def offline() -> NodeStatus:
    """The coordinator cannot be reached since 101 seconds; training goes on."""
    return replace(
        normal(),
        state="connecting",
        sentence="the coordinator cannot be reached",
        offline_since=NOW - 101,
        retry_at=NOW + 7,
        num_tries=3,
        traffic=replace(
            normal().traffic, up_per_s=0.0, down_per_s=0.0, round_trip_s=None, num_reconnects=2
        ),
    )


def alarm() -> NodeStatus:
    """An update was refused; updates of this plan are visible to the coordinator."""
    text = "round 12: update refused (coord: size does not match the manifest)"
    return replace(
        normal(),
        privacy=Privacy(
            masked=False,
            cohort=4,
            minimum=1,
            coordinator_sees="your update, each round",
            others_see="nothing of yours",
            if_collude="your update is visible already",
        ),
        problem=Problem(text=text, remedy="fedtui log shows why", code=1302, at=NOW - 5),
        alarms=(
            Alarm(
                id=1,
                at=NOW - 5,
                kind="refused",
                text=text,
                remedy="the third refusal pauses this node",
                detail=("expected 1,200,000 bytes", "got 1,199,996 bytes"),
            ),
        ),
        rounds_refused=1,
        round=replace(
            normal().round,
            phase="upload",
            steps=(
                *(replace(step, state="done") for step in steps("upload")[:5]),
                Step(phase="upload", state="failed", seconds=1.1, num_bytes=MODEL_BYTES),
                *steps("upload")[6:],
            ),
        ),
        log=(
            *log(),
            LogLine(at=NOW - 5, level="error", text=text, source="privacy"),
        ),
    )


def empty() -> NodeStatus:
    """A node that is in no federation."""
    return NodeStatus(label="alder-ws", profile="default", version="0.1.0", pid=4121)


def hostile() -> NodeStatus:
    """Every text that came from elsewhere tries something; drawn, none of it may work."""
    first = normal()
    coordinator = first.coordinator
    assert coordinator is not None
    bad = "".join(HOSTILE)
    return replace(
        first,
        label=bad,
        sentence=bad,
        coordinator=replace(coordinator, label=bad, address=bad, fingerprint=bad),
        plan=replace(
            PLAN,
            federation=bad,
            task=bad,
            metric=bad,
            strategy=bad,
            training=bad,
            model=bad,
            privacy=bad,
            worst=bad,
            stays=bad,
        ),
        receipt=replace(RECEIPT, data=bad, coordinator=bad, limits=bad),
        round=replace(first.round, sat_out=bad),
        rounds=tuple(replace(one, reason=bad) for one in first.rounds),
        machine=replace(first.machine, device=bad),
        privacy=replace(
            PRIVACY, coordinator_sees=bad, others_see=bad, if_collude=bad, keystream=bad
        ),
        roster=(*first.roster, *(Peer(fingerprint=text) for text in HOSTILE)),
        ledger=tuple(replace(one, what=bad, receiver=bad) for one in first.ledger),
        log=tuple(LogLine(at=NOW, level="error", text=text, source="peer") for text in HOSTILE),
        problem=Problem(text=bad, remedy=bad),
        alarms=(Alarm(id=1, at=NOW, kind="x", text=bad, remedy=bad, detail=HOSTILE),),
        resting=bad,
        scores=tuple(replace(one, metric=bad) for one in first.scores),
    )
