"""Step 10: delete it, and leave the user as before."""

from demo.story.beginning import PROJECT
from demo.story.client import refused
from demo.story.money import dollars, micros
from demo.story.observation import expect, until
from demo.story.story import Step, Story, restore_caps


def delete_it(story: Story) -> None:
    """Service, record and cap are gone; what it has cost stays."""
    id_ = story.id
    operation = story.client.call("DELETE", f"/v1/workstations/{id_}", purge="true")
    story.transcript.did(f"DELETE /v1/workstations/{id_}?purge=true")
    operation = story.client.finished(operation)
    expect(not operation.get("error"), "an operation without error", operation, "api")
    until(
        lambda: story.cloud_run.exists(story.service), lambda there: not there, "no service", 30, "cloud_run"
    )
    expect(not story.cloud_run.services_of(story.uid), "no service of its uid", story.service, "cloud_run")
    story.transcript.saw("Cloud Run: there is no such service any more")
    listed = story.client.call("GET", "/v1/workstations", project=PROJECT)["workstations"]
    expect(not listed, "an empty list", listed, "api")
    gone = refused(lambda: story.client.workstation(id_), "404", "api")
    expect(gone.status == 404, "404", gone, "api")
    story.exists = False
    story.transcript.saw(f"API: the list of {PROJECT} is empty; GET of the workstation is 404")
    caps = story.caps
    restore_caps(story)
    now = story.client.call("GET", "/v1/users/me/budget")
    expect(now == caps, f"the caps {caps}", now, "api")
    story.transcript.did(f"gave the daily cap of {dollars(micros(now['daily']))} back")


STEPS = (Step("Delete it", delete_it),)
