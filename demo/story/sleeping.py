"""Steps 7 and 8: go away until it sleeps, and wake it with every file."""

import hashlib
from typing import Any

from demo.story.client import Json
from demo.story.observation import NotObserved, expect, until
from demo.story.story import Step, Story
from demo.story.tree import in_archive, project_files, through_gateway
from demo.story.working import SAMPLE, see_the_todo, start_server

_ALIVE = ("RUNNING", "IDLE", "STOPPING")


def go_away(story: Story) -> None:
    """Nobody does anything: the sweep saves it, lets it idle, stops it."""
    story.before = through_gateway(story.client, story.id)
    lost = project_files(SAMPLE).keys() - story.before.tree.keys()
    expect(
        not lost and "todos.json" in story.before.tree, "the project's files", f"none of {lost}", "gateway"
    )
    workstation = story.workstation
    story.transcript.did(
        f"nothing, after counting {story.before.files} files (tree {story.before.sha256[:16]}); it may idle after "
        f"{workstation['idleTimeout']} and stop after {workstation['stopTimeout']} of silence"
    )
    left = story.transcript.elapsed
    idle = _reached(story, "IDLE")
    story.transcript.saw(f"API: IDLE after {story.transcript.elapsed - left:.0f} s, reason {idle['reason']}")
    story.see_one_instance()
    _see_the_save(story, idle)
    stopped = _reached(story, "STOPPED")
    expect(stopped["reason"] == "stop_timeout", "the reason stop_timeout", stopped["reason"], "sweep")
    story.transcript.saw(
        f"API: STOPPED after {story.transcript.elapsed - left:.0f} s, reason {stopped['reason']}"
    )
    story.see_nothing_runs()


def wake_it(story: Story) -> None:
    """One request through the gateway wakes it, and is answered by a new instance with every file."""
    began = story.transcript.elapsed
    story.client.visit("GET", story.id, "-/files/")
    took = story.transcript.elapsed - began
    story.transcript.did(f"one GET /w/{story.id}/-/files/, answered after {took:.1f} s")
    state = story.workstation["state"]
    expect(state == "RUNNING", "a RUNNING workstation", state, "gateway")
    instance = story.see_one_instance()
    expect(instance != story.instance, "another instance than before", instance, "cloud_run")
    story.instance = instance
    after = through_gateway(story.client, story.id)
    same = after.sha256 == story.before.sha256
    expect(same, f"the tree {story.before.sha256}", story.before.difference(after), "gateway")
    story.transcript.saw(
        f"gateway: all {after.files} files again, modes and contents; tree {after.sha256[:16]}"
    )
    start_server(story)
    see_the_todo(story)


def _reached(story: Story, state: str) -> Json:
    """The workstation in this state; fails at once where it cannot come to it any more."""

    def look() -> Json:
        workstation = story.workstation
        if workstation["state"] not in (*_ALIVE, state):
            raise NotObserved(f"{state} on its way", _shown(workstation), "sweep")
        return workstation

    seen = until(
        look, lambda found: found["state"] in (state, "STOPPED"), state, story.place.patience, "sweep"
    )
    expect(seen["state"] == state, state, _shown(seen), "sweep")
    return seen


def _see_the_save(story: Story, workstation: Json) -> None:
    """The newest saved object is what the API says, and holds every file."""
    objects = story.cloud_storage.saved(story.uid)
    expect(objects, "a saved object in Cloud Storage", "none", "cloud_storage")
    newest: Any = objects[-1]
    content = newest.download_as_bytes(raw_download=True, checksum=None)
    sha256, backup = hashlib.sha256(content).hexdigest(), workstation["backup"]
    expect(backup and sha256 == backup["sha256"], f"the backup {backup}", f"sha256 {sha256}", "cloud_storage")
    archived = in_archive(content)
    same = archived.sha256 == story.before.sha256
    expect(same, "every file in the saved object", story.before.difference(archived), "cloud_storage")
    story.transcript.saw(
        f"Cloud Storage: gs://{newest.bucket.name}/{newest.name}, {len(content)} bytes, sha256 as the API says; "
        f"unpacked it has the same tree {archived.sha256[:16]}"
    )


def _shown(workstation: Json) -> str:
    return (
        f"{workstation['state']} (reason '{workstation['reason']}', {workstation['message'] or 'no message'})"
    )


STEPS = (
    Step("Go away: it idles, is saved, and stops", go_away),
    Step("Wake it with one call", wake_it),
)
