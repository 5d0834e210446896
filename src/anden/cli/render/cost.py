"""`anden cost`."""

from anden.cli.render.paint import Paint
from anden.cli.render.table import columns, right
from anden.model.cost import CostChange, CostReport

DAYS_A_MONTH = 30.44
OLD_DAYS = 365
"""A table of prices older than this is called old."""


def text(report: CostReport, paint: Paint, *, lines: bool = False) -> list[str]:
    """The heading, a row for each family, the total, and what it rests on."""
    place = f"{report.client}/{report.environment}, {report.engine} {report.region}"
    said = [paint.strong(f"{place}: a month of {report.hours:g} hours, in {report.currency}")]
    rows = [[paint.dim(each) for each in ("FAMILY", "AT BASE", "AT MAX", "WHAT")]]
    rows += [[each.family, money(each.base), money(each.max), each.what] for each in report.families]
    rows.append([paint.strong("Total"), paint.strong(money(report.base)), paint.strong(money(report.max)), ""])
    said += columns(right(rows, (1, 2)))
    if report.kept:
        down = f"{money(report.kept)} for fixed addresses and the key, until `anden down --release`"
        said.append(f"While it is down: {down}; and the storage of what is retained.")
    if lines:
        said += ["", *_lines(report, paint)]
    said += ["", "Assumed, in a month:"]
    said += columns([[f"  {paint.link(f'{each.flag} {each.value:g}')}", each.text] for each in report.assumptions])
    said += ["Left out:", *(f"  {each}" for each in report.left_out)]
    said.append(_prices(report, paint))
    return said


def _lines(report: CostReport, paint: Paint) -> list[str]:
    rows = [[paint.dim(each) for each in ("FAMILY", "QUANTITY", "UNIT", "PRICE", "AT BASE", "AT MAX", "PAGE")]]
    for each in report.lines:
        quantity = f"{each.at_base:,.6g}" if each.at_base == each.at_max else f"{each.at_base:,.6g}..{each.at_max:,.6g}"
        price = "none" if each.price is None else f"{each.price:g}"
        rows.append([each.family, quantity, each.unit, price, money(each.base), money(each.max), each.source])
    return columns(right(rows, (1, 3, 4, 5)))


def money(amount: float) -> str:
    """`$1,234.56`."""
    return f"${amount:,.2f}"


def change(cost: CostChange) -> str:
    """`+$412/month at base, $689 at max`; with what was before, `+$12/month at base, +$30 at max`."""
    if cost.was_base is None or cost.was_max is None:
        return f"+${cost.base:,.0f}/month at base, ${cost.max:,.0f} at max"
    return f"{_signed(cost.base - cost.was_base)}/month at base, {_signed(cost.max - cost.was_max)} at max"


def _signed(amount: float) -> str:
    rounded = round(amount)
    return f"-${-rounded:,}" if rounded < 0 else f"+${rounded:,}"


def _prices(report: CostReport, paint: Paint) -> str:
    months = round(report.age_days / DAYS_A_MONTH)
    age = f"{months} months old" if months != 1 else "1 month old"
    said = f"Prices: AWS's public on-demand list prices of {report.prices_of}, {age}; nothing was asked of AWS."
    return paint.warn(said) if report.age_days > OLD_DAYS else said
