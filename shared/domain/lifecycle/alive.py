"""While it runs: noticing what broke, writing down who is there, warning, resting, stopping, and paying on."""

from dataclasses import replace
from datetime import datetime

from shared.domain.actions import Decision, Hold, Record, Renew, Rest, Resume, ScaleUp, Touch
from shared.domain.breakdown import Breakdown, Cause
from shared.domain.lifecycle.endings import (
    Ending,
    endings,
    forced_ending,
    is_to_warn,
    next_ending,
    quiet_endings,
    warning_times,
)
from shared.domain.lifecycle.replaced import replaced
from shared.domain.lifecycle.starting import POLL, failed, is_behind
from shared.domain.observed import AgentView, Busy, Observed, Phase, Scaling
from shared.domain.policy import Policy
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Activity, Source, Workstation


def alive(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision:
    """RUNNING and IDLE."""
    if broken := _broken(workstation, observed, policy, now):
        return broken
    if ending := forced_ending(workstation, observed.funds, policy, now):
        return _stop(ending)
    if workstation.state is State.RUNNING and observed.agent and observed.agent.phase is Phase.QUIESCED:
        return Decision(Resume(), now)
    if _needs_hold(workstation, observed.agent, now):
        return Decision(Hold(), now)
    if touch := _seen_activity(workstation, observed.agent, policy, now):
        return Decision(touch, now)
    if rest := _silence(workstation, observed, policy, now):
        return rest
    if until := _renewal(workstation, observed, policy, now):
        return Decision(Renew(until), now)
    assert observed.service is not None
    if is_behind(workstation, observed.service):
        return Decision(ScaleUp(), now)
    return _warning(workstation, observed, policy, now) or Decision(
        None, _next_look(workstation, observed, policy, now)
    )


def probe_at(workstation: Workstation, policy: Policy) -> datetime:
    """From here on a RUNNING one has been silent enough for its agent to be asked."""
    idle_after = workstation.idle_after(policy)
    stop_after = workstation.stop_after(policy) or idle_after
    return workstation.quiet_since + min(idle_after, stop_after, workstation.touch_window(policy))


def _stop(ending: Ending) -> Decision:
    return Decision(Record(Kind.STOP_BEGUN, ending.reason, ending.message), None)


def _broken(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision | None:
    service, agent = observed.service, observed.agent
    if service is None:
        return failed(Breakdown(Cause.SERVICE_GONE))
    if service.scaling is not Scaling.ON:
        return Decision(Record(Kind.STOP_BEGUN, Reason.OVERDUE, "It was scaled to zero from outside."), None)
    if service.breakdown and service.settled:
        return failed(service.breakdown)
    if agent and agent.boot_id != workstation.boot_id:
        return Decision(replaced(workstation, policy, now), None)
    return None


def _seen_activity(
    workstation: Workstation, agent: AgentView | None, policy: Policy, now: datetime
) -> Touch | None:
    """Activity that the record does not know yet, once it is worth a write."""
    newest = _newest_activity(agent, now)
    if agent is None or newest is None:
        return None
    client = agent.last_client_activity
    attended = client is not None and min(
        client.time, now
    ) - workstation.attended_time >= workstation.touch_window(policy)
    if newest.time - workstation.last_activity.time >= workstation.touch_window(policy) or attended:
        return Touch(newest, attended)
    return None


def _newest_activity(agent: AgentView | None, now: datetime) -> Activity | None:
    """What the agent says was last. Busy, or perhaps busy, is activity now; its clock never outruns ours."""
    if agent is None:
        return None
    if agent.busy is not Busy.NO:
        return Activity(now, Source.PROCESS, agent.cause)
    seen = [activity for activity in (agent.last_activity, agent.last_client_activity) if activity]
    newest = max(seen, key=lambda activity: activity.time, default=None)
    return newest and replace(newest, time=min(newest.time, now))


def _needs_hold(workstation: Workstation, agent: AgentView | None, now: datetime) -> bool:
    """Busy, or not measured long enough to know, while nobody keeps a request open: it has no CPU to go on with."""
    if agent is None or agent.busy is Busy.NO:
        return False
    return workstation.hold_until is None or workstation.hold_until <= now


def _silence(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision | None:
    """What silence leads to. An agent that cannot be reached is not idle: only the safety limit ends it."""
    quiet_since = _quiet_since(workstation, observed.agent, now)
    reachable = workstation.state is State.IDLE or observed.agent is not None
    for ending in quiet_endings(workstation, quiet_since, policy):
        if ending.time <= now and (reachable or ending.reason is Reason.SAFETY_LIMIT):
            return _stop(ending)
    if not reachable:
        return None
    if workstation.state is State.RUNNING and now >= quiet_since + workstation.idle_after(policy):
        return Decision(Rest(), now + policy.sweep_interval)
    return None


def _quiet_since(workstation: Workstation, agent: AgentView | None, now: datetime) -> datetime:
    seen = _newest_activity(agent, now)
    return max(workstation.quiet_since, seen.time) if seen else workstation.quiet_since


def _warning(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision | None:
    """Told before a stop that nobody asked for; any activity, or :keepAlive, extends what silence would end."""
    ending = next_ending(workstation, observed.funds, _quiet_since(workstation, observed.agent, now), policy)
    if not is_to_warn(workstation, ending, now):
        return None
    message = f"It stops at {ending.time:%Y-%m-%dT%H:%M:%SZ}. {ending.message}".strip()
    return Decision(Record(Kind.WARNED, ending.reason, message), now)


def _renewal(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> datetime | None:
    """How far to reserve next, once half of the present reservation is used and the gain is worth a write."""
    assert workstation.not_after is not None
    until = workstation.not_after - policy.reserves.save_time
    if now < until - policy.reserves.ahead / 2:
        return None
    reach = min(observed.funds.until, workstation.attended_time + policy.max_unattended)
    return reach if reach - until >= policy.lead else None


def _next_look(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> datetime:
    assert workstation.not_after is not None
    until = workstation.not_after - policy.reserves.save_time
    quiet_since = _quiet_since(workstation, observed.agent, now)
    ahead = endings(workstation, observed.funds, quiet_since, policy)
    renew_at = until - policy.reserves.ahead / 2
    looks = [ending.time for ending in ahead]
    looks += warning_times(min(ahead, key=lambda ending: ending.time), now)
    looks.append(renew_at if now < renew_at else max(until - policy.lead, now + policy.sweep_interval))
    if workstation.state is State.RUNNING:
        looks.append(quiet_since + workstation.idle_after(policy))
    return max(min(looks), now + min(POLL, workstation.touch_window(policy)))
