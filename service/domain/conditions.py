"""What has to hold before a commitment is kept, and where that stands."""

from enum import StrEnum

from service.domain.actors import ActorCode
from service.domain.statement import Text, Value


class ConditionKind(StrEnum):
    """What a commitment depends on."""

    CEASEFIRE_IN_FORCE = "ceasefire_in_force"
    PEACE_AGREEMENT = "peace_agreement"
    END_OF_HOSTILITIES = "end_of_hostilities"
    US_BACKING = "us_backing"
    MANDATE = "mandate"
    PARLIAMENTARY_APPROVAL = "parliamentary_approval"
    HOST_REQUEST = "host_request"
    RECIPROCITY = "reciprocity"
    OTHER = "other"


class ConditionStatus(StrEnum):
    """Where a condition stands."""

    OUTSTANDING = "outstanding"
    MET = "met"
    WAIVED = "waived"
    FAILED = "failed"


class Condition(Value):
    """Something that must hold first."""

    kind: ConditionKind
    text: Text | None = None
    responsible: ActorCode | None = None
    status: ConditionStatus = ConditionStatus.OUTSTANDING


UNMET = frozenset({ConditionStatus.OUTSTANDING, ConditionStatus.FAILED})
