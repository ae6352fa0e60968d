"""Cloud Run's list prices, by region: what Google asks for a second of work, and for a request.

Read on 2026-10-09 from cloud.google.com/run/pricing (request-based billing), the regions of tier 1 from
cloud.google.com/run/docs/locations. A vCPU-second of tier 1 is $0.000024 while a request is open and $0.0000025 as a
minimum instance, a GiB-second $0.0000025 either way; a million requests are $0.40 everywhere. The active figures of
tier 2 are 1.4 times those ($0.0000336 and $0.0000035), as three public readings of that page have them; that its idle
ones are as well is assumed (docs/assumptions.md). A region that is not known to be of tier 1 is charged as tier 2, which
is the dearer one.
"""

from dataclasses import dataclass

from shared.domain.money import HourlyRate, MillionRate

VERSION = "2026-10-09"

REQUESTS = MillionRate(400_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The prices of some regions."""

    name: str
    active_vcpu: HourlyRate
    active_gib: HourlyRate
    idle_vcpu: HourlyRate
    idle_gib: HourlyRate


TIER_1 = Tier(
    name="tier1",
    active_vcpu=HourlyRate(86_400),
    active_gib=HourlyRate(9_000),
    idle_vcpu=HourlyRate(9_000),
    idle_gib=HourlyRate(9_000),
)
TIER_2 = Tier(
    name="tier2",
    active_vcpu=HourlyRate(120_960),
    active_gib=HourlyRate(12_600),
    idle_vcpu=HourlyRate(12_600),
    idle_gib=HourlyRate(12_600),
)

_TIER_1_REGIONS = frozenset(
    {
        "asia-east1",
        "asia-northeast1",
        "asia-northeast2",
        "europe-north1",
        "europe-southwest1",
        "europe-west1",
        "europe-west4",
        "europe-west8",
        "europe-west9",
        "me-west1",
        "us-central1",
        "us-east1",
        "us-east4",
        "us-east5",
        "us-south1",
        "us-west1",
    }
)


def tier_of(region: str) -> Tier:
    return TIER_1 if region in _TIER_1_REGIONS else TIER_2
