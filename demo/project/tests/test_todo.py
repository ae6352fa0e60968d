"""What a user of the to-do list would miss: python -m unittest"""

import json
import tempfile
import threading
import unittest
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

from todo.app import FORM, App


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Tests need no log."""


class TodoTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = Path(directory.name) / "todos.json"
        self.serve()

    def serve(self) -> None:
        server = make_server("127.0.0.1", 0, App(self.file), handler_class=Quiet)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.port = server.server_port

    def ask(
        self, method: str, path: str, body: str = "", kind: str = "application/json"
    ) -> tuple[HTTPResponse, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def add(self, text: str) -> int:
        return self.ask("POST", "/todos", json.dumps({"text": text}))[0].status

    def todos(self) -> list[dict[str, object]]:
        return list(json.loads(self.ask("GET", "/todos")[1]))

    def test_a_new_list_is_empty(self) -> None:
        self.assertEqual(self.todos(), [])

    def test_what_was_added_is_there_after_a_restart(self) -> None:
        self.assertEqual(self.add(" buy milk "), 201)

        self.serve()

        self.assertEqual(self.todos(), [{"id": 1, "text": "buy milk", "done": False}])

    def test_one_is_ticked_off_and_the_others_stay_open(self) -> None:
        for text in ("one", "two"):
            self.add(text)

        self.assertTrue(json.loads(self.ask("POST", "/todos/1/done")[1])["done"])

        self.assertEqual([todo["done"] for todo in self.todos()], [True, False])

    def test_the_page_shows_what_the_form_sends_as_text_and_not_as_markup(self) -> None:
        sent, _ = self.ask("POST", "/todos", "text=%3Cb%3Etea%3C%2Fb%3E", FORM)

        self.assertEqual((sent.status, sent.getheader("Location")), (303, "./"))
        self.assertIn("&lt;b&gt;tea&lt;/b&gt;", self.ask("GET", "/")[1])

    def test_what_cannot_be_done_is_explained(self) -> None:
        self.assertEqual(self.add("  "), 400)
        self.assertEqual(self.ask("POST", "/todos", "[]")[0].status, 400)
        self.assertEqual(self.ask("POST", "/todos", "{")[0].status, 400)
        self.assertEqual(self.ask("POST", "/todos/7/done")[0].status, 404)
        self.assertEqual(self.ask("GET", "/nowhere")[0].status, 404)

    def test_it_says_that_it_serves(self) -> None:
        self.assertEqual(json.loads(self.ask("GET", "/health")[1]), {"status": "healthy", "todos": 0})


if __name__ == "__main__":
    unittest.main()
