"""Steps 1 to 3: sign in, see the price, provision."""

import base64
import json

from demo.story.client import Client, Json, refused
from demo.story.money import dollars, micros
from demo.story.observation import expect
from demo.story.story import Step, Story

PROJECT = "dormouse-story"
NAME = "todo"


def sign_in(story: Story) -> None:
    """An ID token opens the API; without one it stays shut."""
    claims = _claims(story.client.id_token)
    minutes = (claims["exp"] - claims["iat"]) // 60
    story.transcript.did(f"got an ID token of {claims['email']}, good for {minutes} min")
    usage = story.client.call("GET", "/v1/usage")
    left, limit = micros(usage["day"]["remaining"]), micros(usage["day"]["limit"])
    story.transcript.saw(f"API: it knows the user; {dollars(left)} of {dollars(limit)} are left today")
    mine = story.client.call("GET", "/v1/workstations", project=PROJECT)["workstations"]
    expect(not mine, f"no workstation in the project {PROJECT} yet", [one["id"] for one in mine], "api")


def see_the_price(story: Story) -> None:
    """An estimate with every check, and nothing that comes of it."""
    operation = story.client.call("POST", "/v1/workstations", _wish(story), validateOnly="true")
    estimate = operation["metadata"]["estimate"]
    story.transcript.did("POST /v1/workstations?validateOnly=true")
    story.transcript.saw(
        f"API: {dollars(micros(estimate['hourlyRunning']))} an hour RUNNING, "
        f"{dollars(micros(estimate['hourlyIdle']))} IDLE, nothing STOPPED (rate card {estimate['rateCard']})"
    )
    mine = story.client.call("GET", "/v1/workstations", project=PROJECT)["workstations"]
    expect(not mine, "no workstation from an estimate", [one["id"] for one in mine], "api")


def provision(story: Story) -> None:
    """An operation that ends with one instance of one service."""
    began = story.transcript.elapsed
    operation = story.client.call("POST", "/v1/workstations", _wish(story))
    story.id, story.exists = operation["metadata"]["target"].removeprefix("workstations/"), True
    story.transcript.did(f"POST /v1/workstations; answered at once with {operation['name']}, then :wait")
    operation = story.client.finished(operation)
    expect(not operation.get("error"), "an operation without error", operation, "api")
    stages = " -> ".join(stage["name"] for stage in operation["metadata"]["stages"])
    workstation = story.workstation
    expect(workstation["state"] == "RUNNING", "a RUNNING workstation", workstation["state"], "api")
    story.uid = workstation["uid"]
    took = story.transcript.elapsed - began
    story.transcript.saw(f"API: {stages} in {took:.1f} s; {workstation['name']} is at {workstation['host']}")
    story.instance = story.see_one_instance()
    _see_it_is_private(story)


def _see_it_is_private(story: Story) -> None:
    """Another user meets nothing under its address."""
    stranger = Client.of(story.place, "stranger")
    for where, ask in (
        ("api", lambda: stranger.workstation(story.id)),
        ("gateway", lambda: stranger.visit("GET", story.id, "-/files/")),
    ):
        refusal = refused(ask, "404 for another user", where)
        expect(refusal.status == 404, "404 for another user", refusal, where)
    story.transcript.saw("API and gateway: another user who asks for it gets 404")


def _wish(story: Story) -> Json:
    place = story.place
    return {
        "project": PROJECT,
        "name": NAME,
        "template": "python",
        "idleTimeout": f"{place.idle_after.total_seconds():g}s",
        "stopTimeout": f"{place.stop_after.total_seconds():g}s",
    }


def _claims(token: str) -> Json:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


STEPS = (
    Step("Sign in", sign_in),
    Step("See the price", see_the_price),
    Step("Provision a workstation", provision),
)
