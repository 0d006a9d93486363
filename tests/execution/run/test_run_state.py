"""The states of a run: which may follow which, and how they are stored."""

import pytest

from napari_s1omni.execution.run.run_state import TRANSITIONS, RunState, check_transition
from napari_s1omni.execution.run.status import RunStatus


@pytest.mark.parametrize("old", RunState)
def test_every_state_has_its_followers_and_may_follow_itself(old):
    check_transition(old, old)
    for new in RunState:
        if new in TRANSITIONS[old] or new is old:
            assert RunStatus(old).replace(state=new).state is new
        else:
            with pytest.raises(ValueError, match=f"a run that is {old} cannot become {new}"):
                RunStatus(old).replace(state=new)


@pytest.mark.parametrize(
    "life",
    [
        pytest.param("starting running joining pyramid complete", id="labels"),
        pytest.param("starting running pyramid complete starting running", id="image, then redone"),
        pytest.param("starting running paused running paused cancelled starting", id="paused, cancelled, resumed"),
        pytest.param("starting running stopped failed cancelled", id="process gone, reason found, not resumed"),
    ],
)
def test_the_lives_of_runs_are_allowed(life):
    states = [RunState(name) for name in life.split()]
    status = RunStatus(states[0])
    for state in states[1:]:
        status = status.replace(state=state, tiles_done=1)
    assert status.state is states[-1]


def test_a_run_never_goes_back_to_work_without_a_start():
    for ended in (state for state in RunState if not state.alive):
        with pytest.raises(ValueError, match="cannot become running"):
            RunStatus(ended).replace(state=RunState.RUNNING)


def test_a_status_is_stored_under_the_names_of_older_versions():
    stored = RunStatus(RunState.PAUSED, pid=7, tiles_done=3).to_json()
    assert stored["state"] == "paused"
    assert RunStatus.from_json({**stored, "novelty": 1}) == RunStatus(RunState.PAUSED, pid=7, tiles_done=3)
    assert [state.value for state in RunState if state.resumable] == ["failed", "cancelled", "stopped"]
    assert [state.value for state in RunState if not state.alive] == ["complete", "failed", "cancelled", "stopped"]
