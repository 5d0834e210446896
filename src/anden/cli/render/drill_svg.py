"""A drill as a picture: SVG by hand, readable on dark and on light ground, with the reader's own fonts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from math import ceil, log10

from anden.cli.render.drill import whole
from anden.cli.render.status import label
from anden.model.drill import Beat, DrillReport, PhaseName

WIDTH, LEFT, RIGHT, TOP = 960, 70, 24, 92
PANEL, GAP, FOOT = 110, 34, 40
LETTER, GAP_OF_KEY = 7.0, 12
"""Pixels that a letter of the key takes at most, on average, and what is between two of its entries."""
LEAST_MS, LEAST_TOP_MS = 1.0, 10.0
"""The latency axis: logarithmic, from 1 ms to at least 10 ms."""
MOST_TICKS = 12
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200)
STYLE = """
.ground{fill:#fbfaf7}.panel{fill:#fff;stroke:#c9d3d7}.text{fill:#1b3a4b}.dim{fill:#5f7f8c}
.fault{fill:#c8553d;opacity:.13}.grid{stroke:#c9d3d7;stroke-dasharray:2 4}
.good{fill:#2f7d5b;opacity:.55}.bad{fill:#c8553d}.badtext{fill:#a63f2a}.p99{fill:none;stroke:#8a5a00;stroke-width:1.6}
.p50{fill:none;stroke:#2f6f9f;stroke-width:1.4}
.z0{fill:#2f6f9f}.z1{fill:#8a5a00}.z2{fill:#2f7d5b}.z3{fill:#7a4f9a}
@media (prefers-color-scheme:dark){
.ground{fill:#101a20}.panel{fill:#16242c;stroke:#34505c}.text{fill:#e7eef1}.dim{fill:#9db4be}
.fault{fill:#ff8a70;opacity:.18}.grid{stroke:#34505c}
.good{fill:#5fc79a}.bad{fill:#ff8a70}.badtext{fill:#ff9d87}.p99{stroke:#e8b04b}.p50{stroke:#7cc0ee}
.z0{fill:#7cc0ee}.z1{fill:#e8b04b}.z2{fill:#5fc79a}.z3{fill:#c39be0}
}
""".strip()


def picture(report: DrillReport) -> str:
    """Answers and failures, latency, and who served by zone, over time; the fault's span is shaded."""
    return "\n".join(_Drawing(report).all()) + "\n"


def _whole_ms(value: float) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


class _Drawing:
    """Seconds to x, values to y, and the pieces."""

    def __init__(self, report: DrillReport) -> None:
        self.report = report
        self.beats: Sequence[Beat] = whole(report)
        self.end_s = max(report.phases[-1].until_s, self.beats[-1].until_s)
        panels = [("instances serving, by zone", self._serving)]
        if report.loaded:
            panels = [("answers and failures a second", self._answers), ("latency", self._latency), *panels]
        self.panels = panels
        self.height = TOP + len(panels) * (PANEL + GAP) + FOOT - GAP

    def all(self) -> list[str]:
        fault = next(phase for phase in self.report.phases if phase.name is PhaseName.FAULT)
        left, right = self.x(fault.from_s), self.x(fault.until_s)
        said = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" font-family="ui-sans-serif, Helvetica, Arial, sans-serif" font-size="12" '
            f'role="img" aria-labelledby="title">',
            f'<title id="title">{escape(self._title())}</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{self.height}"/>',
            *self._heading(),
        ]
        for number, (name, draw) in enumerate(self.panels):
            top = TOP + number * (PANEL + GAP)
            said.append(f'<text class="dim" x="{LEFT}" y="{top - 7}">{escape(name)}</text>')
            said.append(f'<rect class="panel" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}"/>')
            said.append(
                f'<rect class="fault" x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{PANEL}"/>'
            )  # fmt: skip
            said += draw(top)
        return [*said, *self._seconds(), "</svg>"]

    # Where.

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.end_s

    def y(self, top: int, share: float) -> float:
        return top + PANEL * (1 - min(1.0, max(0.0, share)))

    # What.

    def _title(self) -> str:
        where = label(self.report.client, self.report.environment, self.report.engine)
        return f"{where}: drill {self.report.title}"

    def _heading(self) -> list[str]:
        report = self.report
        began = datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if report.loaded:
            said = (
                f"{report.requests:,} requests, {report.failed:,} failed, {report.failed_after_retry:,} after one retry"
            )
        else:
            said = "no load of ours: only instances were watched"
        times = [f"detected after {report.detect_s:.1f} s"] if report.detect_s is not None else []
        times += [f"recovered after {report.recover_s:.1f} s"] if report.recover_s is not None else []
        times += ["serves as before" if report.settled else f"not as before: {report.settled_why}"]
        tint = "badtext" if report.failed_after_retry or not report.settled else "text"
        return [
            f'<text class="text" x="{LEFT}" y="28" font-size="17" font-weight="600">{escape(self._title())}</text>',
            f'<text class="{tint}" x="{LEFT}" y="50">{escape("; ".join([said, *times]))}</text>',
            f'<text class="dim" x="{WIDTH - RIGHT}" y="28" text-anchor="end">{began}</text>',
        ]

    def _answers(self, top: int) -> list[str]:
        step = self.report.step_s
        answers = [beat.answered / step for beat in self.beats]
        failures = [beat.failed / step for beat in self.beats]
        rate = self.report.drill.rate or max(1.0, *answers)
        most = max(rate * 1.2, *answers, *failures)
        said = self._level(top, rate / most, f"{rate:g}")
        said += self._columns(top, answers, most, "good")
        said += self._columns(top, failures, most, "bad", least=2.0)
        return [*said, *self._key(top, (("good", "answers"), ("bad", "failures, first attempts")))]

    def _latency(self, top: int) -> list[str]:
        longest = max([LEAST_TOP_MS, *(beat.p99_ms for beat in self.beats if beat.p99_ms is not None)])
        decades = ceil(log10(longest / LEAST_MS) - 1e-9)

        def share(value: float) -> float:
            return log10(max(value, LEAST_MS) / LEAST_MS) / decades

        said = []
        for decade in range(1, decades):
            said += self._level(top, decade / decades, _whole_ms(LEAST_MS * 10.0**decade))
        for name, of in (("p50", lambda beat: beat.p50_ms), ("p99", lambda beat: beat.p99_ms)):
            said += self._line(top, of, share, name)
        key = ((("p99", "p99"), ("p50", "p50")),)
        return [*said, *self._key(top, *key)]

    def _serving(self, top: int) -> list[str]:
        zones = sorted({zone for beat in self.beats for zone in beat.serving or {}} | set(self.report.before))
        most = max([1, *(sum((beat.serving or {}).values()) for beat in self.beats), sum(self.report.before.values())])
        said = self._level(top, 1.0, f"{most}")
        base = [0.0] * len(self.beats)
        for number, zone in enumerate(zones):
            counts = [float((beat.serving or {}).get(zone, 0)) for beat in self.beats]
            said += self._columns(top, counts, most, f"z{number % 4}", base=base)
            base = [low + count for low, count in zip(base, counts, strict=True)]
        blind = [beat for beat in self.beats if beat.serving is None]
        if blind:
            middle = self.x(sum(beat.until_s for beat in blind) / len(blind) - self.report.step_s / 2)
            said.append(
                f'<text class="dim" x="{middle:.1f}" y="{top + PANEL // 2}" text-anchor="middle">'
                "the control plane says nothing</text>"
            )
        return [*said, *self._key(top, [(f"z{number % 4}", f"zone {zone}") for number, zone in enumerate(zones)])]

    # How.

    def _columns(
        self, top: int, values: Sequence[float], most: float, tint: str, *, least: float = 0.0,
        base: Sequence[float] | None = None,
    ) -> list[str]:  # fmt: skip
        """One path of rectangles, those of nothing left out. least: pixels that anything above nothing takes."""
        step, parts = self.report.step_s, []
        for number, value in enumerate(values):
            if value > 0:
                start, end = self.beats[number].until_s - step, self.beats[number].until_s
                low = base[number] if base else 0.0
                bottom, upper = self.y(top, low / most), self.y(top, (low + value) / most)
                upper = min(upper, bottom - least)
                parts.append(f"M{self.x(start):.1f} {bottom:.1f}V{upper:.1f}H{self.x(end):.1f}V{bottom:.1f}z")
        return [f'<path class="{tint}" d="{"".join(parts)}"/>'] if parts else []

    def _line(
        self, top: int, of: Callable[[Beat], float | None], share: Callable[[float], float], tint: str
    ) -> list[str]:
        """One path, broken where there is no value."""
        parts, drawing = [], False
        for beat in self.beats:
            value = of(beat)
            if value is not None:
                x, y = self.x(beat.until_s - self.report.step_s / 2), self.y(top, share(value))
                parts.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
            drawing = value is not None
        return [f'<path class="{tint}" d="{"".join(parts)}"/>'] if parts else []

    def _level(self, top: int, share: float, text: str) -> list[str]:
        y = self.y(top, share)
        return [
            f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>',
            f'<text class="dim" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>',
        ]

    def _key(self, top: int, entries: Sequence[tuple[str, str]]) -> list[str]:
        """What which colour is, above the panel's right end."""
        said, right = [], float(WIDTH - RIGHT)
        for tint, text in reversed(entries):
            right -= len(text) * LETTER + 14
            said.append(f'<text class="dim" x="{right + 14:.1f}" y="{top - 7}">{escape(text)}</text>')
            y = top - 11.5
            said.append(
                f'<path class="{tint}" d="M{right:.1f} {y}h10" stroke-width="2"/>' if tint in ("p50", "p99")
                else f'<rect class="{tint}" x="{right:.1f}" y="{y - 5}" width="10" height="10"/>'
            )  # fmt: skip
            right -= GAP_OF_KEY
        return said

    def _seconds(self) -> list[str]:
        every = next((each for each in _SECONDS if self.end_s / each <= MOST_TICKS), _SECONDS[-1])
        bottom = self.height - FOOT + 18
        ticks = range(0, int(self.end_s) + 1, every)
        return [
            f'<text class="dim" x="{self.x(tick):.1f}" y="{bottom}" text-anchor="middle">{tick} s</text>'
            for tick in ticks
        ]
