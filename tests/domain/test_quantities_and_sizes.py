"""CPU and memory as people write them, and which sizes come of them."""

import re
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.errors import InvalidArgument
from shared.domain.quantities import MemoryMib, MilliCpu, parse_cpu, parse_memory
from shared.domain.sizes import SIZES, Size, legal

MOST = Size(MilliCpu(4000), MemoryMib(8192))


@pytest.mark.mission("RES-11")
@pytest.mark.parametrize(
    ("text", "milli"),
    [("0.5", 500), ("500m", 500), ("1", 1000), ("0.25", 250), ("2", 2000), (" 1.5 ", 1500), ("0.001", 1)],
)
def test_cpu_is_read_as_people_write_it(text: str, milli: int) -> None:
    assert parse_cpu(text) == milli


@pytest.mark.mission("RES-11")
@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("512m", 512),
        ("512Mi", 512),
        ("512mb", 512),
        ("1g", 1024),
        ("1Gi", 1024),
        ("1gb", 1024),
        ("1.5g", 1536),
        ("0.5Gi", 512),
        ("0.1m", 1),
        (" 8Gi ", 8192),
    ],
)
def test_memory_is_read_as_people_write_it(text: str, mib: int) -> None:
    assert parse_memory(text) == mib


@pytest.mark.parametrize(
    "text",
    ["", "0", "0m", "-1", "+1", "1e3", "0.0001", "half", "1 m", "1.", ".5", "500M", "٣", "1_000", "nan"],
)
def test_what_is_no_amount_of_cpu_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"0\.5 or 500m"):
        parse_cpu(text)


@pytest.mark.parametrize(
    "text", ["", "512", "0m", "-1g", "256M", "1G", "1Ki", "1 g", "1e3m", "0.0001g", "٣g", "1Gi\n1Gi", "infg"]
)
def test_what_is_no_amount_of_memory_is_refused_with_an_example(text: str) -> None:
    """`256M` and `1G` too: Kubernetes and Docker read them differently."""
    with pytest.raises(InvalidArgument, match=r"512Mi, 1Gi"):
        parse_memory(text)


@given(st.decimals(min_value=0, max_value=9999, places=3))
def test_cores_are_thousandths_exactly(cores: Decimal) -> None:
    if cores < Decimal("0.001"):
        return
    assert parse_cpu(f"{cores:f}") == int(cores * 1000)


@given(
    st.decimals(min_value=Decimal("0.001"), max_value=999_999_999, places=3),
    st.sampled_from([("Mi", 1), ("m", 1), ("mb", 1), ("Gi", 1024), ("g", 1024), ("gb", 1024)]),
)
def test_memory_is_rounded_up_to_whole_mib(number: Decimal, unit: tuple[str, int]) -> None:
    text, mib = unit

    assert parse_memory(f"{number:f}{text}") == ceil(number * mib)


@given(st.text(max_size=12))
@example("1" * 400)
def test_any_text_is_read_or_refused(text: str) -> None:
    """A hostile one neither crashes nor means nothing."""
    for parse in (parse_cpu, parse_memory):
        try:
            assert parse(text) >= 1
        except InvalidArgument:
            continue
        assert re.fullmatch(r"[0-9.]+[A-Za-z]*", text.strip(), re.ASCII)


# --- sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.mission("RES-02")
@pytest.mark.parametrize(
    ("name", "cpu", "memory"),
    [("light", 1000, 512), ("medium", 1000, 1024), ("heavy", 2000, 2048), ("ml", 4000, 8192)],
)
def test_the_named_sizes_are_legal_as_they_are(name: str, cpu: int, memory: int) -> None:
    assert SIZES[name] == Size(MilliCpu(cpu), MemoryMib(memory))

    found = legal(SIZES[name], MOST)

    assert (found.size, found.warnings) == (SIZES[name], ())


@pytest.mark.parametrize(
    ("wish", "given_", "says"),
    [
        pytest.param((500, 512), (1000, 512), "0.5 vCPU with 512 MiB", id="half a CPU is one"),
        pytest.param((1000, 256), (1000, 512), "1 vCPU with 256 MiB", id="256 MiB are 512"),
        pytest.param((1500, 2048), (2000, 2048), "1.5 vCPU with 2048 MiB", id="one and a half CPUs are two"),
        pytest.param((3000, 1024), (4000, 2048), "3 vCPU with 1024 MiB", id="four CPUs need 2 GiB"),
        pytest.param((1000, 8192), (2000, 8192), "1 vCPU with 8192 MiB", id="8 GiB need two CPUs"),
    ],
)
def test_an_unlawful_wish_is_rounded_up_and_says_so(
    wish: tuple[int, int], given_: tuple[int, int], says: str
) -> None:
    found = legal(Size(MilliCpu(wish[0]), MemoryMib(wish[1])), MOST)

    assert (found.size.cpu, found.size.memory) == given_
    assert says in found.warnings[0]


@given(st.integers(1, 9000), st.integers(1, 40_000))
def test_a_size_is_at_least_the_wish_and_lawful_on_cloud_run_or_it_is_refused(cpu: int, memory: int) -> None:
    wish = Size(MilliCpu(cpu), MemoryMib(memory))
    if cpu > MOST.cpu or memory > MOST.memory:
        with pytest.raises(InvalidArgument, match="choose a smaller size"):
            legal(wish, MOST)
        return
    size = legal(wish, MOST).size
    assert (size.cpu >= cpu, size.memory >= memory) == (True, True)
    assert (size.cpu <= MOST.cpu, size.memory <= MOST.memory) == (True, True)
    assert _lawful(size)


def _lawful(size: Size) -> bool:
    """Cloud Run's own table: whole CPUs, and the memory that goes with each."""
    bounds = {1: (512, 4096), 2: (512, 8192), 4: (2048, 16384), 6: (4096, 24576), 8: (4096, 32768)}
    least, most = bounds[size.cpu // 1000]
    return size.cpu % 1000 == 0 and least <= size.memory <= most
