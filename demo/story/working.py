"""Steps 4 to 6: upload the project, run its tests, use it."""

from pathlib import Path

from demo.story.client import Json, Refused
from demo.story.observation import expect, until
from demo.story.story import Step, Story
from demo.story.tree import project_files, through_gateway

SAMPLE = Path(__file__).parents[1] / "project"
TESTS = "python -m unittest"
SERVER = 'nohup python -m todo > "$HOME/todo.log" 2>&1 &'
"""In the background and away from the command that starts it: a running command would count as work, and keep it awake."""
ERRAND = "Feed the dormouse"


def upload(story: Story) -> None:
    """Every file through the gateway, and each of them there."""
    files = project_files(SAMPLE)
    for path, content in files.items():
        story.client.visit("PUT", story.id, f"-/files/{path}", content=content)
    size = sum(map(len, files.values()))
    story.transcript.did(f"PUT /w/{story.id}/-/files/... for {len(files)} files, {size} bytes")
    found = through_gateway(story.client, story.id)
    expect(found.files == len(files), f"{len(files)} files", f"{found.files} files", "gateway")
    for path, content in files.items():
        there = story.client.visit("GET", story.id, f"-/files/{path}").content
        expect(there == content, f"{path} as it was sent", f"{len(there)} other bytes", "gateway")
    story.transcript.saw(f"gateway: {found.files} files are there, byte for byte; tree {found.sha256[:16]}")


def run_its_tests(story: Story) -> None:
    """Its own tests, in the workstation, with their output as it comes."""
    story.transcript.did(f"POST /-/exec: {TESTS}")
    end = run(story, TESTS)
    expect(end["exitCode"] == 0, f"exit code 0 of {TESTS}", end, "gateway")
    story.transcript.saw(f"exec: exit code {end['exitCode']} after {end['durationSeconds']:.1f} s")


def use_it(story: Story) -> None:
    """A to-do goes in through the gateway, and is in the list, on the page and in the file."""
    start_server(story)
    story.todo = story.client.visit("POST", story.id, "todos", body={"text": ERRAND}).json()
    story.transcript.did(f"POST /w/{story.id}/todos {{'text': '{ERRAND}'}}")
    see_the_todo(story)
    file = story.client.visit("GET", story.id, "-/files/todos.json").text
    expect(ERRAND in file, "the to-do in the workspace's todos.json", file, "gateway")
    story.transcript.saw("gateway: the workspace has it in todos.json")


def start_server(story: Story) -> None:
    """Serves the sample project in the workstation, and returns when it answers."""
    end = run(story, SERVER)
    expect(end["exitCode"] == 0, "a started server", end, "gateway")
    story.transcript.did("POST /-/exec: python -m todo, in the background")
    until(lambda: _served(story), lambda status: status == 200, "the server's answer", 30, "gateway")


def see_the_todo(story: Story) -> None:
    """The to-do is in the list and on the page."""
    todos = story.client.visit("GET", story.id, "todos").json()
    expect(todos == [story.todo], f"the list {[story.todo]}", todos, "gateway")
    page = story.client.visit("GET", story.id, "").text
    expect(ERRAND in page, f"'{ERRAND}' on the page", page, "gateway")
    story.transcript.saw(f"gateway: GET .../todos and the page show '{ERRAND}'")


def run(story: Story, command: str) -> Json:
    """The last line of a command in the workstation; what it prints goes into the transcript as it comes."""
    line: Json = {}
    printed = ""
    for line in story.client.execute(story.id, command):
        *whole, printed = (printed + str(line.get("data", ""))).split("\n")
        for text in whole:
            story.transcript.output(text)
    if printed:
        story.transcript.output(printed)
    expect("exitCode" in line, "the command's exit code as its last line", line, "gateway")
    return line


def _served(story: Story) -> int:
    """The status of the app's list; 502 while nothing listens."""
    try:
        return story.client.visit("GET", story.id, "todos").status_code
    except Refused as refusal:
        return refusal.status


STEPS = (
    Step("Upload a project", upload),
    Step("Run its tests in the workstation", run_its_tests),
    Step("Serve it and use it", use_it),
)
