"""The product's ledger beside the emulator's meter: what we charge for a workstation is never below what Google would.

Each closed interval of the ledger is compared with the meter's bill of the same time, and what lies between the
intervals with nothing. The difference is explained: time that we call RUNNING in which no request was open, time in
which no instance was there, the control plane's calls, which are in the rate, and, against us, the rounding to 100 ms.

A request is counted at most a touch window after it was made, so that its fee may be in the row after its own.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from websockets.sync.client import ClientConnection

from tests.journeys.conftest import Hands, until
from tests.journeys.test_replaced_instances import take_away

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

PICOS_A_MICRO = 10**6
FEE = 400_000
"""Pico-dollars: a request, of which a million are $0.40."""
OWN_CALLS = 20 * FEE
"""What the control plane calls at a start and a stop may be more than its share of the rate: the ten seconds that are
charged after the end, when no instance is there any more, pay for it."""
UNBILLED: dict[str, Any] = {"total": "0", "lines": []}
NOTHING = "nothing"
ROUNDING = 2 * PICOS_A_MICRO
"""An amount of the ledger is a difference of floors to the micro-dollar."""
EDGE = 4 * PICOS_A_MICRO
"""The last request before IDLE is rounded up to 100 ms into the idle time, at the active rate: $0.00000215 and a floor."""
READY = {"SERVING", "FROZEN"}
LONG_AGO, LONG_AFTER = "2000-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"


@dataclass(frozen=True)
class Row:
    """One interval of the ledger, or the time between two, and the meter's bill for it; money in pico-dollars."""

    what: str
    start: str
    end: str
    charged: int
    rate: int
    fees: int
    """Pico-dollars, for the requests that were counted."""
    bill: dict[str, Any] = field(repr=False)

    @property
    def billed(self) -> int:
        return int(self.bill["total"])

    @property
    def wall(self) -> float:
        """Seconds; none for what has no end."""
        if LONG_AGO in (self.start, self.end) or LONG_AFTER in (self.start, self.end):
            return 0
        return (datetime.fromisoformat(self.end) - datetime.fromisoformat(self.start)).total_seconds()

    def cpu(self, item: str) -> float:
        """vCPU-seconds, which are seconds for an instance of one vCPU."""
        return sum(int(line["quantity"]) for line in self.bill["lines"] if line["item"] == item) / 10**9

    def worth(self, *items: str) -> int:
        return sum(int(line["amount"]) for line in self.bill["lines"] if line["item"] in items)

    @property
    def explained(self) -> dict[str, int]:
        """Why the ledger has more than the meter, in pico-dollars; what stands against it is below zero."""
        a_second = self.rate * PICOS_A_MICRO / 3600
        active, idle = self.cpu("activeCpu"), self.cpu("idleMinimumCpu")
        return {
            "no instance": round((self.wall - active - idle) * a_second),
            "no request open": round(idle * a_second) - self.worth("idleMinimumCpu", "idleMinimumMemory"),
            "active, at another rate": round(active * a_second) - self.worth("activeCpu", "activeMemory"),
            "requests, counted less billed": self.fees - self.worth("requests"),
        }


@pytest.fixture
def ledger(ada: Hands, monkeypatch: pytest.MonkeyPatch) -> firestore.Client:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", ada.cloud.endpoints["firestore"].removeprefix("http://"))
    return firestore.Client("demo-dormouse", credentials=AnonymousCredentials())


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def bill(hands: Hands, service: str, start: str, end: str) -> dict[str, Any]:
    url = f"{hands.cloud.endpoints['cloud_run']}/emulator/v1/services/{service}/bill"
    return dict(httpx2.get(url, params={"from": start, "to": end}, timeout=30).raise_for_status().json())


def rows_of(hands: Hands, ledger: firestore.Client, uid: str, service: str) -> Iterator[Row]:
    """Every interval of the ledger, and what lies before, between and after them."""
    found = ledger.collection("ledger").where(filter=firestore.FieldFilter("uid", "==", uid)).stream()
    last = LONG_AGO
    for row in sorted((document.to_dict() for document in found), key=lambda row: (row["start"], row["n"])):
        start, end = text(row["start"]), text(row["end"])
        if start > last:
            yield Row(NOTHING, last, start, 0, 0, 0, bill(hands, service, last, start))
        charged = row["amount"] * PICOS_A_MICRO
        fees = row["requests"] * row["fee"]
        if row["usage"] == "REQUESTS":
            yield Row(row["usage"], start, start, charged, 0, fees, UNBILLED)
            continue
        yield Row(
            f"{row['cause']} {row['usage']}",
            start,
            end,
            charged,
            row["rate"],
            fees,
            bill(hands, service, start, end),
        )
        last = end
    yield Row(NOTHING, last, LONG_AFTER, 0, 0, 0, bill(hands, service, last, LONG_AFTER))


def table(rows: list[Row]) -> str:
    lines = [
        f"{'ledger':20} {'wall':>8} {'active':>8} {'idle':>8} {'fees':>5} {'charged':>9} {'billed':>9} {'more':>9}"
    ]
    for row in rows:
        fees = sum(int(line["quantity"]) for line in row.bill["lines"] if line["item"] == "requests")
        times = f"{row.wall:8.2f} {row.cpu('activeCpu'):8.2f} {row.cpu('idleMinimumCpu'):8.2f} {fees:5}"
        money = " ".join(
            f"{amount / PICOS_A_MICRO:9.2f}" for amount in (row.charged, row.billed, row.charged - row.billed)
        )
        lines.append(f"{row.what:20} {times} {money}")
        lines += [
            f"    {why:40} {amount / PICOS_A_MICRO:9.2f}" for why, amount in row.explained.items() if amount
        ]
    return "\n".join(lines)


def compared(hands: Hands, ledger: firestore.Client, id_: str) -> list[Row]:
    """The ledger beside the meter, once nothing runs any more; shown with the test's output."""
    workstation, service = hands.get(id_), hands.service(id_)
    assert service is not None
    until("nothing runs", lambda: hands.instances(service) == [])
    name = service["name"].rsplit("/", 1)[1]
    rows = list(rows_of(hands, ledger, workstation["uid"], name))
    sys.stdout.write(f"\n{table(rows)}\n")
    whole = int(bill(hands, name, LONG_AGO, LONG_AFTER)["total"])
    assert abs(sum(row.billed for row in rows) - whole) < PICOS_A_MICRO, "the parts of a bill are the whole"
    return rows


def type_for_a_while(terminal: ClientConnection) -> None:
    terminal.recv()
    for number in range(3):
        terminal.send(f"echo line-$((40+{number})); sleep 1\n".encode())
        wanted = f"line-{40 + number}".encode()
        seen = b""
        while wanted not in seen:
            message = terminal.recv(timeout=30)
            seen += message if isinstance(message, bytes) else b""


@pytest.fixture
def worked(ada: Hands) -> str:
    """A workstation that was provisioned, worked in, idle, worked in, asleep, woken by a request, and stopped."""
    id_ = ada.provision("metered")
    assert ada.run(id_, "echo one; sleep 2; echo two") == ("one\ntwo\n", 0)
    with ada.terminal(id_) as terminal:
        type_for_a_while(terminal)
    ada.becomes(id_, "IDLE")
    assert ada.run(id_, "echo again") == ("again\n", 0)
    ada.becomes(id_, "STOPPED")
    assert ada.run(id_, "echo woken") == ("woken\n", 0)
    ada.api("POST", f"/v1/workstations/{id_}:stop", {})
    ada.becomes(id_, "STOPPED")
    return id_


def test_the_ledger_is_never_below_the_meter_and_the_difference_is_explained(
    ada: Hands, ledger: firestore.Client, worked: str
) -> None:
    rows = compared(ada, ledger, worked)

    charged = [row for row in rows if row.what != NOTHING]
    assert {row.what.rpartition(" ")[2] for row in charged} >= {"ACTIVE", "IDLE"}
    assert [row for row in rows if row.what == NOTHING and row.billed] == []
    assert [row for row in charged if row.charged + edge(row) < row.billed] == []
    assert sum(row.charged for row in rows) >= sum(row.billed for row in rows)
    for row in charged:
        assert abs(sum(row.explained.values()) - (row.charged - row.billed)) <= ROUNDING, row
    saved = sum(row.explained["no request open"] for row in charged)
    assert saved > sum(row.charged for row in charged) // 10, (
        "RUNNING is wall time, and was not all in flight"
    )


def edge(row: Row) -> int:
    """By so much one row may be below its own bill, for the one after it to make good: the rounding, and fees."""
    return (EDGE if "IDLE" in row.what else 0) + max(0, row.worth("requests") - row.fees)


def test_of_many_requests_probes_and_sockets_the_whole_bill_is_charged(
    ada: Hands, ledger: firestore.Client
) -> None:
    """With a terminal open all the time is in flight, and there is no idle time to pay for anything else.

    What is charged for the time after the last instance was gone is left out here: it pays for nothing either.
    """
    id_ = ada.provision("many-requests", idleTimeout="120s", stopTimeout="240s")
    with ada.terminal(id_) as terminal:
        type_for_a_while(terminal)
        ask_often(ada, id_, "/-/files/", 600)
        ask_often(ada, id_, "/-/health", 200)
        for _ in range(20):
            with ada.terminal(id_) as another:
                another.recv(timeout=30)
        ada.api("POST", f"/v1/workstations/{id_}:stop", {})
    ada.becomes(id_, "STOPPED")

    until("all are counted", lambda: counted(ledger, ada.get(id_)["uid"]) >= 820)
    rows = compared(ada, ledger, id_)
    assert sum(row.worth("requests") for row in rows) >= 820 * FEE
    assert while_it_was_there(rows) >= sum(row.billed for row in rows)


def test_the_start_of_what_replaced_an_idle_one_is_charged(ada: Hands, ledger: firestore.Client) -> None:
    """Nobody looks at an IDLE one, and Google bills the start of whatever takes its place: in the time that it rested."""
    id_ = ada.provision("replaced-while-idle", stopTimeout="240s")
    assert ada.run(id_, "echo one") == ("one\n", 0)
    ada.becomes(id_, "IDLE")
    gone = take_away(ada, id_)
    until("another one is ready", lambda: gone not in ready(ada, id_) and ready(ada, id_))
    assert ada.run(id_, "echo two") == ("two\n", 0)
    events = ada.api("GET", f"/v1/workstations/{id_}/events").json()["events"]
    times = {event["kind"]: event["time"] for event in events}
    ada.api("POST", f"/v1/workstations/{id_}:stop", {})
    ada.becomes(id_, "STOPPED")

    rows = compared(ada, ledger, id_)
    assert while_it_was_there(rows) >= sum(row.billed for row in rows)
    rested = bill(ada, name_of(ada, id_), times["idled"], times["replaced"])
    assert charged_between(rows, times["idled"], times["replaced"]) + EDGE >= int(rested["total"])


def while_it_was_there(rows: list[Row]) -> int:
    """What was charged but for the time in which no instance was there, of which it keeps what our own calls cost."""
    without = sum(row.explained["no instance"] for row in rows if row.what != NOTHING)
    return sum(row.charged for row in rows) - max(0, without - OWN_CALLS)


def charged_between(rows: list[Row], start: str, end: str) -> int:
    """For time alone, in pico-dollars."""
    begin, stop = datetime.fromisoformat(start), datetime.fromisoformat(end)
    total = 0.0
    for row in rows:
        if row.rate:
            ends = min(stop, datetime.fromisoformat(row.end)), max(begin, datetime.fromisoformat(row.start))
            total += max(0.0, (ends[0] - ends[1]).total_seconds()) * row.rate * PICOS_A_MICRO / 3600
    return round(total)


def name_of(hands: Hands, id_: str) -> str:
    """Of its service."""
    return str((hands.service(id_) or {})["name"].rsplit("/", 1)[1])


def ready(hands: Hands, id_: str) -> set[str]:
    found = hands.instances(hands.service(id_) or {})
    return {each["id"] for each in found if each["state"] in READY}


def counted(ledger: firestore.Client, uid: str) -> int:
    """So many requests are in the ledger."""
    found = ledger.collection("ledger").where(filter=firestore.FieldFilter("uid", "==", uid)).stream()
    return sum(document.get("requests") for document in found)


def ask_often(hands: Hands, id_: str, path: str, count: int) -> None:
    url, auth = f"{hands.cloud.endpoints['gateway']}/w/{id_}{path}", hands.auth
    with httpx2.Client(timeout=60) as client:
        for _ in range(count):
            assert client.get(url, headers=auth).status_code == 200
