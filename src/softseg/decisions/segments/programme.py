"""A programme per segment: which levers, with which effects, from when, at which cost.

A lever is an input as in the assumptions of a company. What stands here in addition is the
segment it is for, and, for costs, whether they arise once for the segment or for every customer
that is treated.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from softseg.decisions.inputs.schema import Finite, Input

type Reach = Literal["assigned", "members"]

ID: Final = r"^[a-z][a-z0-9_]*$"
VALUE: Final = "value"
CUSTOMERS: Final = "customers"
"""As a base of a lever: the value, and the number, of the customers that the programme reaches."""


class SegmentInput(Input):
    """One lever or cost of a segment: an `Input` of the company's assumptions, and more.

    An effect without a base bears on the value of the segment's customers. In `base`, ``value``
    and ``customers`` are those of the segment; other ids mean the segment's own inputs first, and
    the company's second.

    Attributes
    ----------
    per
        Whether a cost arises once, for the ``segment``, or for each treated ``customer``.
    to
        For the effect ``transition``: where customers of the segment go by it, segments by name or
        number, and ``churned``. The input says by which share of itself the probability of each of
        these moves in a period of the panel changes.
    change
        Whether they go there ``less`` often or ``more`` often.
    freed
        Where the freed mass goes, or the missing comes from: to those who ``stay``, or
        ``proportional`` to all other moves of the segment, staying among them.
    """

    per: Literal["segment", "customer"] = "segment"
    to: tuple[str, ...] = ()
    change: Literal["less", "more"] = "less"
    freed: Literal["stay", "proportional"] = "stay"


class SegmentProgramme(BaseModel):
    """What is done with the customers of one segment.

    Attributes
    ----------
    segment
        Its name, or its number as text.
    strategy, owner, watch
        For readers: what is done, who answers for it (a role), and the metric to watch.
    inputs
        Levers and costs by id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    segment: str
    strategy: str = ""
    owner: str = ""
    watch: str = ""
    inputs: dict[Annotated[str, Field(pattern=ID)], SegmentInput] = {}


class Programme(BaseModel):
    """What is done with which segment.

    Attributes
    ----------
    reach
        ``assigned``: customers are treated by their top segment, rightly or wrongly.
        ``members``: the programme finds the members of a segment by itself, as a tariff does.
    off_target
        Share of the effect that shows in customers who are treated as a segment they do not
        belong to; with ``assigned`` only.
    stated_uplift
        Growth of the company's revenue, as a share, that somebody states for the programme; it is
        compared with what the levers add up to.
    segments
        One entry per segment that is treated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reach: Reach = "assigned"
    off_target: Annotated[float, Field(ge=0, le=1)] = 0.0
    stated_uplift: Finite | None = None
    segments: tuple[SegmentProgramme, ...] = ()
