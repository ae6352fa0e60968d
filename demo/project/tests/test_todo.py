"""What a user of the to-do list would miss: python -m unittest"""

import tempfile
import unittest
from pathlib import Path

from starlette.testclient import TestClient

from todo.app import create_app


class TodoTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = Path(directory.name) / "todos.json"
        self.web = TestClient(create_app(self.file), follow_redirects=False)

    def test_a_new_list_is_empty(self) -> None:
        self.assertEqual(self.web.get("/todos").json(), [])

    def test_what_was_added_is_there_after_a_restart(self) -> None:
        added = self.web.post("/todos", json={"text": " buy milk "})
        self.assertEqual(added.status_code, 201)

        restarted = TestClient(create_app(self.file))

        self.assertEqual(restarted.get("/todos").json(), [{"id": 1, "text": "buy milk", "done": False}])

    def test_one_is_ticked_off_and_the_others_stay_open(self) -> None:
        for text in ("one", "two"):
            self.web.post("/todos", json={"text": text})

        self.assertTrue(self.web.post("/todos/1/done").json()["done"])

        self.assertEqual([todo["done"] for todo in self.web.get("/todos").json()], [True, False])

    def test_the_page_shows_what_the_form_sends_as_text_and_not_as_markup(self) -> None:
        sent = self.web.post("/todos", data={"text": "<b>tea</b>"})

        self.assertEqual((sent.status_code, sent.headers["location"]), (303, "./"))
        self.assertIn("&lt;b&gt;tea&lt;/b&gt;", self.web.get("/").text)

    def test_what_cannot_be_done_is_explained(self) -> None:
        self.assertEqual(self.web.post("/todos", json={"text": "  "}).status_code, 400)
        self.assertEqual(self.web.post("/todos", content=b"[]").status_code, 400)
        self.assertEqual(self.web.post("/todos", content=b"{").status_code, 400)
        self.assertEqual(self.web.post("/todos/7/done").status_code, 404)

    def test_it_says_that_it_serves(self) -> None:
        self.assertEqual(self.web.get("/health").json(), {"status": "healthy", "todos": 0})


if __name__ == "__main__":
    unittest.main()
