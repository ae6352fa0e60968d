"""What a provision may ask for: defaults in their order, and every bad field at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.catalog import Catalog, Template, Wish, check
from shared.domain.errors import InvalidArgument
from shared.domain.policy import Priority
from shared.domain.quantities import MemoryMib, MilliCpu
from shared.domain.rates import Card
from shared.domain.sizes import SIZES, Size

CATALOG = Catalog(
    templates={
        "python": Template(name="python", image="python@sha256:1"),
        "react": Template(name="react", image="react@sha256:2", memory_default="1Gi", port=5173),
    },
    default_size=SIZES["light"],
    most=SIZES["ml"],
    card=Card.LIST,
)
WISH = Wish(project="demo", name="main")


def bad_fields(**changes: Any) -> list[str]:
    with pytest.raises(InvalidArgument) as refused:
        check(replace(WISH, **changes), CATALOG)
    return [violation.field for violation in refused.value.violations]


def test_a_wish_without_wishes_is_a_small_python() -> None:
    checked = check(WISH, CATALOG)

    assert (checked.spec.template, checked.spec.size_name, checked.spec.port) == ("python", "light", 3000)
    assert checked.spec.priority is Priority.NORMAL
    assert checked.warnings == ()


@pytest.mark.mission("RES-02", "RES-11")
@pytest.mark.parametrize(
    ("wish", "size"),
    [
        pytest.param(
            {"template": "react"}, (1000, 1024), id="a template's own default wins over the general one"
        ),
        pytest.param({"template": "react", "size": "light"}, (1000, 512), id="a size wins over a template"),
        pytest.param({"size": "light", "memory": "2g"}, (1000, 2048), id="an amount wins over a size"),
        pytest.param({"size": "ml", "cpu": "500m"}, (2000, 8192), id="and is rounded up to what is lawful"),
        pytest.param(
            {"cpu": "0.5", "memory": "256Mi"}, (1000, 512), id="the sources' smallest is rounded up"
        ),
    ],
)
def test_the_order_of_defaults(wish: dict[str, Any], size: tuple[int, int]) -> None:
    assert check(replace(WISH, **wish), CATALOG).spec.size == Size(MilliCpu(size[0]), MemoryMib(size[1]))


def test_what_was_rounded_up_is_said() -> None:
    (warning,) = check(replace(WISH, cpu="0.5"), CATALOG).warnings

    assert warning == "0.5 vCPU with 512 MiB was rounded up to 1 vCPU with 512 MiB."


def test_every_bad_field_is_named_at_once() -> None:
    fields = bad_fields(
        project="",
        name="Main",
        template="cobol",
        cpu="half",
        memory="1G",
        priority="vip",
        env={"PORT": "80", "1X": "", "OK": "\0"},
        idle_timeout=timedelta(0),
        stop_timeout=timedelta(days=2),
    )

    assert set(fields) >= {
        "project",
        "name",
        "template",
        "cpu",
        "memory",
        "priority",
        "env.PORT",
        "idleTimeout",
        "stopTimeout",
    }
    assert len([field for field in fields if field.startswith("env")]) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"name": "a" * 64}, "name", id="64 letters"),
        pytest.param({"name": "a-"}, "name", id="a hyphen at the end"),
        pytest.param({"name": "a\n"}, "name", id="a line end"),
        pytest.param({"project": "x" * 129}, "project", id="129 characters"),
        pytest.param({"project": "a\0b"}, "project", id="the separator of ids"),
        pytest.param({"size": "eco"}, "size", id="a size that does not exist"),
        pytest.param({"cpu": "8"}, "size", id="more CPU than allowed"),
        pytest.param({"memory": "9g"}, "size", id="more memory than allowed"),
        pytest.param({"env": {f"A{n}": "" for n in range(101)}}, "env", id="101 variables"),
        pytest.param({"env": {"A": "x" * 32_769}}, "env['A']", id="a long value"),
        pytest.param(
            {"idle_timeout": timedelta(seconds=2), "stop_timeout": timedelta(seconds=1)},
            "idleTimeout",
            id="resting later than stopping",
        ),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, Any], field: str) -> None:
    assert bad_fields(**changes) == [field]


@pytest.mark.parametrize("name", ["a", "a1", "a-b", "a" * 63])
def test_names_in_use(name: str) -> None:
    check(replace(WISH, name=name), CATALOG)


TEXT = st.text(max_size=10)


@given(
    st.builds(
        Wish,
        project=TEXT,
        name=TEXT,
        template=TEXT,
        size=TEXT,
        cpu=TEXT,
        memory=TEXT,
        priority=TEXT,
        env=st.dictionaries(TEXT, TEXT, max_size=3),
    )
)
def test_any_wish_is_granted_or_refused_with_the_fields(wish: Wish) -> None:
    try:
        check(wish, CATALOG)
    except InvalidArgument as refusal:
        named = refusal.violations
    else:
        return
    assert named
