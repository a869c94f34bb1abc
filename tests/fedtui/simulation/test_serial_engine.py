import pytest
from a_setup import a_digest, a_model, a_setup, bits

from fedtui.errors import LocalProtocolError
from fedtui.simulation.ground import survey
from fedtui.simulation.jobs import Trained, TrainJob
from fedtui.simulation.serial_engine import SerialEngine
from fedtui.simulation.workshop import Workshop


class Counting(Workshop):
    done = 0

    def do(self, job, model_D):
        self.done += 1
        return super().do(job, model_D)


def test_a_job_is_done_when_asked_once_and_never_when_forgotten() -> None:
    setup = a_setup()
    workshop = Counting(setup, survey(setup))
    engine = SerialEngine(workshop)
    engine.put_model(a_digest(1), a_model(setup))
    first, second = (engine.submit(TrainJob(n, 1, 1, a_digest(1))) for n in (0, 1))
    engine.drop_model(a_digest(1))
    second.forget()
    assert workshop.done == 0
    outcome = first.outcome()
    assert isinstance(outcome, Trained)
    assert first.outcome() is outcome
    assert workshop.done == 1
    with pytest.raises(LocalProtocolError, match="forgotten"):
        second.outcome()
    engine.close()


def test_outcomes_do_not_depend_on_the_order_in_which_they_are_asked() -> None:
    setup = a_setup()
    engine = SerialEngine(Workshop(setup, survey(setup)))
    engine.put_model(a_digest(1), a_model(setup))
    jobs = [TrainJob(n, 1, 1, a_digest(1)) for n in range(4)]
    straight = [bits(ticket.outcome().update_D) for ticket in map(engine.submit, jobs)]
    tickets = [engine.submit(job) for job in jobs]
    assert [bits(t.outcome().update_D) for t in reversed(tickets)] == straight[::-1]
    assert len(set(straight)) == 4
