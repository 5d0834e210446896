"""The course of a drill: calm, the fault, and what comes after it until all serves as before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from anden.assess import drill as assessment
from anden.drill.ground import Ground
from anden.drill.load import END_LIMIT_S, Load, Tallies
from anden.drill.picture import Chart, Picture
from anden.drill.watch import Watch
from anden.model.drill import Disturbed, Drill, DrillKind, DrillReport, Marks, PhaseName, Sample
from anden.model.ids import EnvironmentKey
from anden.model.problem import Problem, Problems
from anden.model.traffic import Tally

CALM_S = 3.0
"""Before the fault: what is usual, to compare with."""
LEAST_AFTER_S = 3.0
"""After it, even when everything serves at once."""
SETTLE_LIMIT_S = 120.0
"""The longest that a drill watches afterwards; what has not settled then is said to have not."""
LOADED_LIMIT_S = 30.0
"""Of that with our load. What has not settled under it by then gets rid of it: a drill must keep nobody from
getting well."""
HELD_S = 1.0
"""Everything has served for this long: it has settled."""
FIRST_LOOK_S = 15.0
STEP_S = 0.1
"""Of the drill's own loop."""
MOST_SAMPLES = 200_000
Told = Callable[[Picture], None]


@dataclass
class _Course:
    """A drill under way. Times in Unix seconds."""

    drill: Drill
    ground: Ground
    told: Told
    load: Load
    watch: Watch
    began: float
    chart: Chart
    samples: list[Sample] = field(default_factory=list)
    tallies: list[tuple[float, Tally]] = field(default_factory=list)
    phase: PhaseName = PhaseName.BEFORE
    since: float = 0.0
    until: float | None = None
    hit: str = ""
    why: str = ""
    unloaded: float | None = None
    _counted: Sample | None = None
    """When the load was ended before all had settled."""

    def begin(self, phase: PhaseName, until: float | None) -> None:
        """A phase begins."""
        self.phase, self.since, self.until = phase, self.ground.now(), until

    def step(self) -> None:
        """Let a little time pass, take in what it brought, and show it. Raises Problems when the load has died."""
        self.ground.rest(STEP_S)
        self.look()
        self.told(self.picture())

    def look(self) -> None:
        """Take in what there is."""
        looks = self.watch.fresh()
        fresh = self.load.fresh(self.ground.now()) if self.drill.rate else self._passed(looks)
        self.tallies += fresh
        self.chart.add(fresh)
        self.samples += looks
        if len(self.samples) > MOST_SAMPLES:
            raise Problems(Problem("the drill", "lasts too long", f"{MOST_SAMPLES} looks are kept", "Drill in parts."))

    def _passed(self, looks: Sequence[Sample]) -> Tallies:
        """The real traffic, as the gateway counted it from look to look."""
        found: Tallies = []
        for look in looks:
            if look.answered and look.traffic:
                if self._counted is not None:
                    found.append((look.at, assessment.passed(self._counted, look)))
                self._counted = look
        return found

    @property
    def latest(self) -> Sample | None:
        """The last look, whatever it said."""
        return self.samples[-1] if self.samples else None

    def baseline(self) -> Sample | None:
        """The last look of the calm that said something."""
        return next((each for each in reversed(self.samples) if each.answered), None)

    def picture(self) -> Picture:
        """As it stands."""
        latest = self.latest
        return Picture(
            self.drill, self.hit, self.phase, self.ground.now() - self.began, self.since - self.began,
            None if self.until is None else self.until - self.began, self.chart.sent, self.chart.failed,
            self.chart.lost, self.chart.answers(), self.chart.failures(), self.chart.ms(50), self.chart.ms(99),
            next((each for each in reversed(self.samples) if each.answered), None),
            latest is None or not latest.answered, self.why,
        )  # fmt: skip


def run(key: EnvironmentKey, drill: Drill, ground: Ground, told: Told) -> DrillReport:
    """The whole drill. Raises Problems: the environment does not serve as it should before, the fault cannot be put
    in, or the load died. Whatever happens, KeyboardInterrupt too, the load is ended and the fault taken back."""
    most_s = CALM_S + FIRST_LOOK_S + drill.for_s + SETTLE_LIMIT_S + END_LIMIT_S
    watch = ground.watch()
    load: Load | None = None
    disturbing = False
    try:
        load = ground.load(drill, most_s)
        began = ground.now()
        course = _Course(drill, ground, told, load, watch, began, Chart(began), since=began)
        before = _calm(course)
        disturbing = True
        disturbed = ground.disturb(drill)
        course.hit = disturbed.name
        course.begin(PhaseName.FAULT, disturbed.at + drill.for_s)
        while ground.now() < disturbed.at + drill.for_s:
            course.step()
        restored = ground.now()
        trouble = _restore(ground, drill)
        disturbing = False
        unsettled = _settle(course, before, restored) or trouble
        return _report(key, course, disturbed, restored, unsettled)
    finally:
        if load is not None:
            load.close()
        watch.close()
        if disturbing:
            _restore(ground, drill)


def _calm(course: _Course) -> Sample:
    """The time before the fault; what was seen last in it. Raises Problems when something is amiss already."""
    ground = course.ground
    course.begin(PhaseName.BEFORE, ground.now() + CALM_S)
    deadline = ground.now() + FIRST_LOOK_S
    while ground.now() < (course.until or 0.0) or (course.baseline() is None and ground.now() < deadline):
        course.step()
    before = course.baseline()
    if why := assessment.unsettled(before, None):
        _refuse(course.drill, why, "It serves as it should first: `anden status` says what is amiss.")
    if before is None:
        raise AssertionError("what is settled was seen")
    if course.chart.sent and course.chart.lost == course.chart.sent:
        kinds = ", ".join(sorted({kind for _, tally in course.tallies for kind in tally.kinds}))
        _refuse(
            course.drill, f"no request was answered: {kinds}", "Ask another route with --path, or none: --at-rate 0."
        )
    return before


def _refuse(drill: Drill, why: str, fix: str) -> NoReturn:
    raise Problems(Problem(f"drill {drill.title}", "nothing was disturbed", why, fix))


def _restore(ground: Ground, drill: Drill) -> str:
    """Take the fault back; what went wrong with that, if something did."""
    try:
        if drill.kind is DrillKind.CONTROL:
            if ground.down:
                ground.revive()
        elif drill.kind is DrillKind.ZONE:
            ground.restore()
    except Problems as found:
        return f"the fault was not taken back, and ends by itself: {found.problems[0]}"
    return ""


def _settle(course: _Course, before: Sample, restored: float) -> str:
    """Wait until all serves as before. Returns why it does not, after the bound; empty when it does."""
    ground = course.ground
    course.begin(PhaseName.AFTER, None)
    held: float | None = None
    looked = len(course.samples)
    while True:
        course.step()
        for sample in course.samples[looked:]:
            course.why = assessment.unsettled(sample, before) if sample.at >= restored else "not seen since"
            held = None if course.why else held or sample.at
        looked = len(course.samples)
        passed, latest = ground.now() - restored, course.latest
        if held is not None and latest is not None and latest.at - held >= HELD_S and passed >= LEAST_AFTER_S:
            return ""
        if passed >= LOADED_LIMIT_S and course.unloaded is None:
            course.unloaded = ground.now()
            course.load.stop()
        if passed >= SETTLE_LIMIT_S:
            return f"{course.why or 'it does not hold'}, {SETTLE_LIMIT_S:g} s later"


def _report(key: EnvironmentKey, course: _Course, disturbed: Disturbed, restored: float, why: str) -> DrillReport:
    """End the load, and add everything up."""
    ground, load = course.ground, course.load
    ended = ground.now()
    load.stop()
    deadline = ended + END_LIMIT_S
    while not load.over() and ground.now() < deadline:
        ground.rest(STEP_S)
        course.look()
    marks = Marks(course.began, disturbed.at, restored, ended)
    seen = assessment.Seen(course.drill, course.hit, marks, course.samples, course.tallies, why, course.unloaded)
    return assessment.report(key, seen)
