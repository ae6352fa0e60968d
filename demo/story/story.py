"""What does a story carry from step to step, and how is it told to its end, whatever happens?"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from demo.story.client import Client, Json, Refused
from demo.story.cloud import CloudRun, CloudStorage, Firestore, scaling
from demo.story.money import dollars, micros
from demo.story.observation import NotObserved, expect
from demo.story.place import Place
from demo.story.transcript import Transcript
from demo.story.tree import Hashed


@dataclass(slots=True, kw_only=True)
class Story:
    """The user, the witnesses, and what has happened so far."""

    place: Place
    transcript: Transcript
    client: Client
    cloud_run: CloudRun
    cloud_storage: CloudStorage
    firestore: Firestore
    id: str = ""
    """The workstation's."""
    exists: bool = False
    """Whether there is a workstation to be deleted in the end."""
    uid: str = ""
    service: str = ""
    """The full name of its Cloud Run service."""
    instance: str = ""
    """The one that served last."""
    caps: Json = field(default_factory=dict)
    """The user's own, as they were before the story lowered one."""
    todo: Json = field(default_factory=dict)
    before: Hashed = field(default_factory=lambda: Hashed({}))
    """Every file, as it was before the user went away."""

    @property
    def workstation(self) -> Json:
        """The workstation as the API shows it now."""
        return self.client.workstation(self.id)

    def spent(self) -> int:
        """What the user has spent today, in millionths of a dollar."""
        return micros(self.client.call("GET", "/v1/usage")["day"]["spent"])

    def see_one_instance(self) -> str:
        """Cloud Run shows the service at AUTOMATIC 1..1, and one instance of it lives. Returns the instance's id."""
        service = self.see_service("AUTOMATIC 1..1")
        living = self.cloud_run.instances(service.name)
        expect(len(living) == 1, "one instance of the service", living, "cloud_run")
        (instance,) = living
        self.transcript.saw(
            f"Cloud Run: {_short(service.name)} is {scaling(service)}; one instance, "
            f"{instance['state']}, process {instance['pid']}"
        )
        return str(instance["id"])

    def see_nothing_runs(self) -> None:
        """Cloud Run shows the service at MANUAL 0, and no instance of it lives."""
        service = self.see_service("MANUAL 0")
        living = self.cloud_run.instances(service.name)
        expect(not living, "no instance of the service", living, "cloud_run")
        self.transcript.saw(f"Cloud Run: {_short(service.name)} is {scaling(service)}; no instance is left")

    def see_service(self, wanted: str) -> Any:
        """The one service of the workstation, scaled as wanted."""
        found = self.cloud_run.services_of(self.uid)
        expect(
            len(found) == 1, "one service with the workstation's uid", [s.name for s in found], "cloud_run"
        )
        (service,) = found
        expect(scaling(service) == wanted, f"the service at {wanted}", scaling(service), "cloud_run")
        self.service = service.name
        return service


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it is called, and what happens in it."""

    title: str
    act: Callable[[Story], None]


def tell(story: Story, steps: Sequence[Step]) -> bool:
    """Whether every step was observed. Leaves no workstation behind and no cap changed, however it ends."""
    try:
        for number, step in enumerate(steps, start=1):
            story.transcript.step(number, step.title)
            if not _told(story, step):
                return False
        return True
    finally:
        clean_up(story)


def clean_up(story: Story) -> None:
    """Deletes the workstation that a story which broke off has left, and gives the user's caps back."""
    if not story.caps and not story.exists:
        return
    story.transcript.note("\nCleaning up what the story began ...")
    with suppress(Refused, httpx2.HTTPError):
        restore_caps(story)
    try:
        if story.exists:
            story.client.call("DELETE", f"/v1/workstations/{story.id}", purge="true")
    except (Refused, httpx2.HTTPError) as failure:
        story.transcript.note(f"Its workstation {story.id} could not be deleted: {failure}")


def restore_caps(story: Story) -> None:
    """Sets the caps as they were before the story lowered one."""
    if story.caps:
        wanted = {f"{name}LimitMicros": micros(amount) for name, amount in story.caps.items()}
        story.client.call("PATCH", "/v1/users/me/budget", wanted)
        story.caps = {}


def _told(story: Story, step: Step) -> bool:
    """Whether the step was observed; when not, the transcript says what was missing and where its log is."""
    try:
        step.act(story)
        story.transcript.bill(f"{dollars(story.spent())} spent today")
    except NotObserved as missing:
        log = str(story.place.logs.get(missing.component, missing.component))
        story.transcript.failed(step.title, missing.expected, missing.seen, log)
        return False
    except Refused as refusal:
        story.transcript.failed(step.title, "an answer that is no error", str(refusal), _logs(story))
        return False
    except httpx2.HTTPError as failure:
        seen = f"{type(failure).__name__} {failure}"
        story.transcript.failed(step.title, "an answer", seen, _logs(story))
        return False
    return True


def _logs(story: Story) -> str:
    return ", ".join(str(story.place.logs[name]) for name in ("api", "gateway") if name in story.place.logs)


def _short(name: str) -> str:
    return name.rpartition("/")[2]
