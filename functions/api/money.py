"""What a user has spent, may spend, and what things cost here."""

from functions.api import encoding, wire
from functions.http.routes import Access, Answer, Incoming, Route
from shared.domain.money import Micros
from shared.domain.names import region_of
from shared.domain.rates import rate_for
from shared.domain.sizes import SIZES
from shared.usecases import budgets


def usage(incoming: Incoming) -> Answer:
    found = budgets.usage_of(incoming.app.deps, incoming.user.owner)
    return Answer(encoding.usage(found.balance, found.projects, found.always_on))


def get_budget(incoming: Incoming) -> Answer:
    return Answer(_budget(incoming))


def lower_budget(incoming: Incoming) -> Answer:
    wanted = incoming.body
    daily, monthly = wanted.daily_limit_micros, wanted.monthly_limit_micros
    budgets.set_own_caps(
        incoming.app.deps,
        incoming.user.owner,
        None if daily is None else Micros(daily),
        None if monthly is None else Micros(monthly),
    )
    return Answer(_budget(incoming))


def _budget(incoming: Incoming) -> wire.BudgetAnswer:
    deps = incoming.app.deps
    caps = deps.records.user(incoming.user.owner).value.caps(deps.policy.caps)
    return wire.BudgetAnswer(daily=encoding.money(caps.daily), monthly=encoding.money(caps.monthly))


def sizes(incoming: Incoming) -> Answer:
    deps, found = incoming.app.deps, []
    for name, size in SIZES.items():
        rate = rate_for(deps.catalog.card, size, region_of(deps.cell))
        found.append(
            wire.Size(
                name=name,
                cpu=f"{size.cpu / 1000:g}",
                memory=f"{size.memory}Mi",
                hourly_running=encoding.money(rate.active),
                hourly_idle=encoding.money(rate.idle),
                million_requests=encoding.money(rate.requests),
            )
        )
    return Answer(wire.SizeList(sizes=found))


def templates(incoming: Incoming) -> Answer:
    found = incoming.app.deps.catalog.templates.values()
    shown = [wire.Template(name=item.name, image=item.image, port=item.port) for item in found]
    return Answer(wire.TemplateList(templates=shown))


_USER = Access.USER

ROUTES = (
    Route("GET", "/v1/usage", usage, _USER, "What you have spent and what is left.", wire.Usage),
    Route("GET", "/v1/users/me/budget", get_budget, _USER, "The caps that hold for you.", wire.BudgetAnswer),
    Route(
        "PATCH",
        "/v1/users/me/budget",
        lower_budget,
        _USER,
        "Set caps of your own, below the operator's.",
        wire.BudgetAnswer,
        body=wire.Budget,
    ),
    Route("GET", "/v1/sizes", sizes, _USER, "Sizes and their prices.", wire.SizeList),
    Route("GET", "/v1/templates", templates, _USER, "What a workstation can start from.", wire.TemplateList),
)
