"""Goals: penalties that are given the level they shall reach, and the lambda that reaches it.

What a lambda means depends on the data, the loss and the width of the code; what one wants is a level: a
tenth of the code active, a Jacobian norm of one half. After every look at the held-out rows each lambda
follows how far its level is from the goal, both as logarithms, e = log(level / goal):

    log lambda  <-  log lambda + INTEGRAL * pace * e / (FAR + abs(e)) + PROPORTIONAL * (e - e one look before)

The first part finds lambda, at a limited speed; the second brakes, because a network answers late (Stooke
et al. 2020, Responsive safety in reinforcement learning by PID Lagrangian methods). Where e changes sign
from one look to the next, both act more calmly for a while. `pace` is the share of the plan that has passed
since the look before, times the learning rate as a share of its highest: lambda moves in the network's own
time, and comes to rest with it.

The search starts at the given weight, but where the term is small beside the loss, because units that too
large a lambda has switched off may never come back; and it goes no further than makes the term, as it now is,
as large as the loss it began with: while a network is on its way, more of it would only wipe out what was
learned. Where a look finds a level of nothing at all, as of ReLUs that a lambda has switched off for good,
training goes back to the nearest level that was alive, with half of that lambda and calmer. Looks at
different lambdas are judged by how near they are to the goals first, and among those that are within
TOLERANCE by the loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isthmus.lazily import without_gradients
from isthmus.training.member import CHUNK
from isthmus.training.plan import Plan

if TYPE_CHECKING:
    import torch

    from isthmus.training.member import Member
    from isthmus.training.rows import Rows
else:
    from isthmus.lazily import torch

__all__ = ["TOLERANCE", "Goals"]

TOLERANCE = 0.1  # of a goal: as near counts as reached
SETTLED = 0.25  # of the plan: what is met sooner may be the untrained network's doing
START = 1e-4, 1e-2  # the term beside the loss where the search starts: at least, at most
TRIED = 1e-6, 1e6  # the same for all lambdas tried; outside, the term is nothing, or everything
RULES = 1.0  # the term beside the loss, now: beyond, it rules every update, and more of it is no faster
INTEGRAL, PROPORTIONAL = 2.0, 2.0  # of log lambda
FAR = 0.4  # the distance e at which the first part has half its highest speed
CALMEST = 0.1  # share of the usual change of lambda after any number of deaths
NOISE = 0.01**2  # product of two neighbouring e beyond which a change of sign means too much haste
LOOKS = 100  # at least so many looks in a plan, if it has the steps; also the unit of pace
STEPS = 25  # updates that pass at least for one unit of pace


class Goals:
    """The terms of one member that have a goal. What changes is in `member.steering`, to be resumed."""

    def __init__(self, member: Member, plan: Plan) -> None:
        self.member, self.plan = member, plan
        terms = member.objective.terms_by_name
        self.goals = {name: term.goal for name, term in terms.items() if term.goal is not None}
        self.rows: Rows | None = None
        self.died = False  # at the last look
        if self.goals:
            self.rows = member.train.first(CHUNK) if member.held_out is None else member.held_out
            member.missed = math.inf

    def __bool__(self) -> bool:
        return bool(self.goals)

    @property
    def steps_per_round(self) -> int:
        """Updates between two looks: few enough that lambda can follow."""
        usual = self.plan.steps_per_round
        return min(usual, max(1, self.plan.steps // LOOKS)) if self else usual

    # ---------------------------------------------------------------- seeing

    def columns(self) -> dict[str, float]:
        """For a line of history: each lambda, and the level on held-out rows as they are, without noise."""
        return {} if self.rows is None else self._levels(self.rows)

    @without_gradients
    def _levels(self, rows: Rows) -> dict[str, float]:
        network, objective = self.member.network, self.member.objective
        terms = {name: objective.terms_by_name[name] for name in self.goals}
        levels = dict.fromkeys(terms, 0.0)
        generator = torch.Generator(rows.x.device).manual_seed(0)
        network.eval()
        for x, *_ in rows.chunks(CHUNK):
            layers = () if objective.penalty is None else objective.penalty.layers
            trace = network.trace(x, x, objective.layout, generator, layers, noisy=False)
            for name, term in terms.items():
                levels[name] += float(term.level(trace)) * len(x) / len(rows)
        network.train()
        lambdas = {f"{name}_lambda": float(term.weight) for name, term in terms.items()}
        return {**lambdas, **{f"{name}_level": level for name, level in levels.items()}}

    def judged(self, line: dict[str, float], step: int) -> tuple[float, float]:
        """How a look does, less is better: by the goals first, then by what the lambdas do not change.

        By the goals: 0 where all are met, 1 where lambda can go no further, 2 to 3 on the way, and 3 to 4
        in the first part of the plan.
        """
        held_out = "held_out_" if "held_out_objective" in line else ""
        if not self:
            return 0.0, line[f"{held_out}objective"]
        fixed = ["loss", *(name for name in self.member.objective.terms_by_name if name not in self.goals)]
        value = sum(line[held_out + name] for name in fixed)
        ratios = {name: line[f"{name}_level"] / goal for name, goal in self.goals.items()}
        if not (math.isfinite(value) and all(0 < ratio < math.inf for ratio in ratios.values())):
            return math.inf, value
        far = max(abs(math.log(ratio)) for ratio in ratios.values())
        # without held-out rows the newest of a kind is the best, however near
        nearness = far / (1 + far) if held_out else 0.0
        if step < SETTLED * self.plan.steps:
            return 3 + nearness, value
        missed = [name for name, ratio in ratios.items() if abs(ratio - 1) > TOLERANCE]
        if all(self._at_end(name, line) for name in missed):
            return float(bool(missed)), value
        return 2 + nearness, value

    def _at_end(self, name: str, line: dict[str, float]) -> bool:
        """Whether lambda is as large, or as small, as is tried, and should be more so."""
        state, weight = self.member.steering[name], line[f"{name}_lambda"]
        more = self._error(name, line[f"{name}_level"]) > 0
        return weight >= state["most"] if more else weight <= state["least"]

    # ---------------------------------------------------------------- steering

    def steer(self, line: dict[str, float], step: int) -> None:
        """New lambdas after a look at update number `step`."""
        rate = self.plan.rate(step) / self.plan.lr * self.member.slowed
        pace = rate * self.steps_per_round / max(STEPS, self.plan.steps / LOOKS)
        self.died = self._dead(line) and bool(self.member.history) and not self._dead(self._kept)
        for name in self.goals:
            state = self.member.steering.setdefault(name, {})
            if "least" not in state:
                state.update(self._start(name, line, state.get("weight")))
            if self.died:
                state.update(self._before(name, state, line[f"{name}_level"] == 0))
                continue
            if not math.isfinite(line[f"{name}_level"]):
                continue
            error = self._error(name, line[f"{name}_level"])
            before = state.get("error", error)
            calm = state.get("calm", 1.0)
            calm = 0.7 * calm if before * error < -NOISE else min(1.0, 1.05 * calm)
            change = INTEGRAL * pace * error / (FAR + abs(error)) + PROPORTIONAL * (error - before)
            weight = state["weight"] * math.exp(max(-1.0, min(1.0, calm * change)))
            most = min(state["most"], max(state["weight"], self._ruling(name, line)))
            state.update(error=error, calm=calm, weight=max(state["least"], min(most, weight)))

    @property
    def _kept(self) -> dict[str, float]:
        """The look whose weights are the best so far."""
        return self.member.history[self.member.kept_at]

    def _dead(self, line: dict[str, float]) -> bool:
        """Whether a level is nothing at all: units that are off for every row get no gradient any more."""
        return any(line[f"{name}_level"] == 0 for name in self.goals)

    def _before(self, name: str, state: dict[str, float], dead: bool) -> dict[str, float]:
        """Where the best look so far was; where this term's level has died since, with half of that lambda,
        or of one that failed since, and calmer.
        """
        weight, error = self._kept[f"{name}_lambda"], self._error(name, self._kept[f"{name}_level"])
        if not dead:
            return {"weight": weight, "error": error}
        weight = max(state["least"], min(state["weight"], weight) / 2)
        return {"weight": weight, "error": error, "calm": max(CALMEST, state.get("calm", 1.0) / 2)}

    def _error(self, name: str, level: float) -> float:
        """How far a level is from what is aimed at, as a logarithm; above 0 where lambda must grow.

        Where large lambdas all bring the level to the goal, from either side, half of TOLERANCE before it is
        aimed at: there the level still says which lambda is too large.
        """
        error = math.log(max(level, 1e-3 * self.goals[name]) / self.goals[name])
        stops = self.member.objective.terms_by_name[name].stops_at_goal
        return abs(error) - TOLERANCE / 2 if stops else error

    def _ruling(self, name: str, line: dict[str, float]) -> float:
        """The lambda at which the term as it is now would be RULES times the loss the search began with."""
        weight, value = line[f"{name}_lambda"], line[name]
        known = "loss" in self.member.steering[name] and 0 < value < math.inf
        return RULES * self.member.steering[name]["loss"] * weight / value if known else math.inf

    def _start(self, name: str, line: dict[str, float], found: float | None) -> dict[str, float]:
        """Where the search starts and between what it goes: from the sizes of loss and term at first, or from
        what an earlier training found.
        """
        weight = line[f"{name}_lambda"]
        known = math.isfinite(line["loss"]) and 0 < line[name] < math.inf
        if found is not None or not known:
            return {"weight": weight, "least": weight * TRIED[0], "most": weight * TRIED[1]}
        loss = max(line["loss"], self._blank())
        as_large = loss * weight / line[name]
        least, low, high, most = (as_large * share for share in (TRIED[0], *START, TRIED[1]))
        return {"weight": max(low, min(high, weight)), "least": least, "most": most, "loss": loss}

    def _blank(self) -> float:
        """The loss of an output that is zero for every row: what there is to gain, however good the start."""
        assert self.rows is not None
        x, observed, *_ = next(iter(self.rows.chunks(CHUNK)))
        errors = self.member.objective.loss(x, torch.zeros_like(x), self.member.objective.layout)
        return float((errors if observed is None else errors * observed).sum() / len(x))

    def apply(self) -> None:
        """Give the objective the lambdas found so far."""
        lambdas = {name: state["weight"] for name, state in self.member.steering.items()}
        if lambdas:
            self.member.objective = self.member.objective.with_lambdas(lambdas)

    # ---------------------------------------------------------------- reporting

    def tell(self) -> None:
        """Set the objective's lambdas to those of the weights that were kept, and say how near they came."""
        if not self or not self.member.history:
            return
        line = self._kept
        if any(f"{name}_lambda" not in line for name in self.goals):
            return  # Ctrl-C came before the first look
        lambdas = {name: line[f"{name}_lambda"] for name in self.goals}
        self.member.objective = self.member.objective.with_lambdas(lambdas)
        self.member.notes += [self._sentence(name, line) for name in self.goals]

    def _sentence(self, name: str, line: dict[str, float]) -> str:
        term, goal = self.member.objective.terms_by_name[name], self.goals[name]
        weight, level = line[f"{name}_lambda"], line[f"{name}_level"]
        where = "the first training rows" if self.member.held_out is None else "held-out rows"
        seen = f"{term.measure} is {level:.3g} on {where}"
        if abs(level / goal - 1) <= TOLERANCE:
            return f"{type(term).__name__}: lambda {weight:.3g} was found for the goal {goal:g}: {seen}."
        if self._at_end(name, line):
            why = f"a {'larger' if self._error(name, level) > 0 else 'smaller'} one changes nothing"
            do = "lower" if 0 < level < goal else "higher"  # at 0 no look was alive
            return (
                f"{type(term).__name__}: the goal {goal:g} cannot be reached: {seen} at lambda {weight:.3g}, "
                f"and {why}. Use a {do} goal."
            )
        return (
            f"{type(term).__name__}: the goal {goal:g} was not reached: {seen} at lambda {weight:.3g} when "
            "training ended. Use more epochs (trainer__max_epochs), or another goal."
        )
