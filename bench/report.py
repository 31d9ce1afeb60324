"""What the benchmarks report: rows of a value, its floor, their ratio and the target; as Markdown and as JSON."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from os import cpu_count, getloadavg


@dataclass(frozen=True, slots=True)
class Target:
    """`limit` is the least or the most that the ratio, or where there is none the value, should be."""

    limit: float
    least: bool = False

    def met(self, figure: float) -> bool:
        """Whether `figure` is on the right side."""
        return figure >= self.limit if self.least else figure <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.limit:.3g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure in `unit`. `floor` is what stands beside it in the same run, `ratio` the median of the rounds' own."""

    name: str
    unit: str
    value: float
    floor: float | None = None
    ratio: float | None = None
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met, None where there is none."""
        if self.target is None:
            return None
        return self.target.met(self.value if self.ratio is None else self.ratio)


BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

Results = dict[str, list[Row]]
"""The rows of each benchmark."""


def renewed(page: str, table: str) -> str:
    """Return `page` with `table` between its two marks.  Raises: ValueError when it does not have them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the page has no place for the table: {BEGIN} and {END}, in this order")
    return f"{before}{begin}\n{table}\n{end}{after}"


def table(results: Results) -> str:
    """Return where it was measured, and one Markdown table of all rows."""
    where = ", ".join(f"{key} {value}" for key, value in machine().items())
    lines = [f"Measured with {where}.", ""]
    lines += ["| what | unit | qqbot | floor | ratio | target | met |", "|---|---|---|---|---|---|---|"]
    for rows in results.values():
        lines += (f"| {' | '.join(_cells(row))} |" for row in rows)
    return "\n".join(lines)


def _cells(row: Row) -> Sequence[str]:
    met = "" if row.met is None else "yes" if row.met else "no"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    target = "" if row.target is None else str(row.target)
    return row.name, row.unit, _figure(row.value), "" if row.floor is None else _figure(row.floor), ratio, target, met


def _figure(value: float) -> str:
    """Return three digits of `value`, large numbers in full."""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:.3g}"


def machine() -> dict[str, object]:
    """Return on what it was measured."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": cpu_count(),
        "load": round(getloadavg()[0], 1),
        "aiohttp": version("aiohttp"),
        "msgspec": version("msgspec"),
    }


def as_json(results: Results) -> dict[str, object]:
    """Return everything as plain values."""
    return {
        **machine(),
        "results": {name: [{**asdict(row), "met": row.met} for row in rows] for name, rows in results.items()},
    }
