"""The colours that charts are drawn in, and the role each plays: a page's stylesheet recolours by role."""

INK, SOFT, GRID, AVOIDED, PAPER, CHOICE = "#1d2127", "#565f6b", "#d9dce0", "#8a5a01", "#ffffff", "#ffd84d"
FAINT = "#c9ced5"
SERIES = (
    "#2358b0", "#b0432a", "#1d7a64", "#7a4db3", "#8a5a00", "#4d5966", "#c2185b", "#00838f", "#6a8f1f", "#5d4037",
)  # fmt: skip
DASHES = ((), (7, 4), (2, 4), (10, 4, 2, 4), (5, 5), (1, 3))
ROLES = {INK: "ink", SOFT: "soft", GRID: "grid", **{colour: str(number) for number, colour in enumerate(SERIES)}}


def colour_of(number: int | None, quiet: str) -> str:
    """A colour of the palette; `quiet` without a number."""
    return quiet if number is None else SERIES[number % len(SERIES)]


def dash(number: int | None) -> tuple[int, tuple[int, ...]]:
    """The dashes of a line, as matplotlib takes them: lines are told apart without their colours."""
    return 0, DASHES[(number or 0) % len(DASHES)]
