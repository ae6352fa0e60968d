"""Step 9: hit a small daily cap."""

from datetime import UTC, datetime

from demo.story.client import Json, Refused, refused
from demo.story.money import dollars, micros
from demo.story.observation import expect, until
from demo.story.story import Step, Story

_SAVE_SECONDS = 60
"""The product keeps this much running time back, to pay for the last save."""
_WORK_SECONDS = 5


def hit_the_cap(story: Story) -> None:
    """A cap just above what is spent stops it under a working user, and no wake helps."""
    cap = _lower_the_cap(story)
    _see_it_announced(story)
    began = story.transcript.elapsed
    until(lambda: _worked(story), _is_cut_off, "a stop by the cap", story.place.patience, "sweep")
    took = story.transcript.elapsed - began
    stopped = until(lambda: story.workstation, _has_stopped, "STOPPED", story.place.patience, "sweep")
    expect(stopped["reason"] == "daily_cap", "the reason daily_cap", stopped["reason"], "sweep")
    spent = story.spent()
    story.transcript.saw(
        f"API: stopped after {took:.0f} s at work, reason {stopped['reason']}: {stopped['message']}"
    )
    expect(not stopped["unsavedChanges"], "a save before the stop", "unsavedChanges", "sweep")
    expect(spent <= cap, f"at most {dollars(cap)} spent", dollars(spent), "sweep")
    story.transcript.saw(f"API: saved before that; {dollars(spent)} of {dollars(cap)} are spent")
    story.see_nothing_runs()
    _see_the_refusal(story)
    story.see_nothing_runs()


def _lower_the_cap(story: Story) -> int:
    story.caps = story.client.call("GET", "/v1/users/me/budget")
    hourly = micros(story.workstation["cost"]["hourlyRunning"])
    seconds = _SAVE_SECONDS + story.place.minute.total_seconds() + _WORK_SECONDS
    cap = story.spent() + round(hourly * seconds / 3600)
    story.client.call("PATCH", "/v1/users/me/budget", {"dailyLimitMicros": cap})
    story.transcript.did(f"PATCH /v1/users/me/budget: {dollars(cap)} a day, and went on working")
    stored = story.firestore.user(story.place.uid)["dailyCap"]
    expect(stored == cap, f"the cap {cap} in Firestore", stored, "api")
    return cap


def _see_it_announced(story: Story) -> None:
    """Before it happens the API says when it will stop, and why."""
    coming = until(
        lambda: story.workstation, _is_announced, "the stop announced", story.place.patience, "api"
    )
    moment = datetime.fromisoformat(coming["stopTime"])
    story.transcript.saw(f"API: it will stop at {moment:%H:%M:%S}, reason {coming['stopReason']}")


def _is_announced(workstation: Json) -> bool:
    return bool(workstation["stopReason"] == "daily_cap")


def _worked(story: Story) -> Json:
    """The workstation, after the user has looked at the to-dos once more where that is still possible."""
    workstation = story.workstation
    if workstation["state"] == "RUNNING":
        try:
            story.client.visit("GET", story.id, "todos")
        except Refused as refusal:
            # Between the look and the request it may have begun to stop.
            expect(refusal.status in (429, 503), "429 or 503 once it stops", refusal, "gateway")
    return workstation


def _is_cut_off(workstation: Json) -> bool:
    return bool(workstation["state"] != "RUNNING")


def _has_stopped(workstation: Json) -> bool:
    return bool(workstation["state"] == "STOPPED")


def _see_the_refusal(story: Story) -> None:
    """429, with the limit, what is spent and when it resets; through the API and through the gateway."""
    story.transcript.did("POST :wake, and one GET through the gateway")
    wake = refused(
        lambda: story.client.call("POST", f"/v1/workstations/{story.id}:wake"), "a refused wake", "api"
    )
    visit = refused(lambda: story.client.visit("GET", story.id, "todos"), "a refused request", "gateway")
    for where, refusal in (("api", wake), ("gateway", visit)):
        expect(refusal.status == 429, "429", refusal, where)
        found = refusal.metadata
        shown = {"limitMicros", "spentMicros", "resetTime"} <= found.keys()
        expect(shown, "limit, spent and reset time in the refusal", refusal.error, where)
        reset = datetime.fromisoformat(found["resetTime"])
        expect(reset > datetime.now(UTC), "a reset time to come", found["resetTime"], where)
    story.transcript.saw(f"API and gateway: 429 {wake.error['status']}: {wake.error['message']}")


STEPS = (Step("Hit a small daily cap", hit_the_cap),)
