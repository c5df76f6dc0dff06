"""A hundred hostile inputs of each class, the same in every run: none of them may do more than be refused or shown."""

import itertools
import json
import random
from collections.abc import Iterable, Iterator

COUNT = 100
NUMBERS = (
    "workload.input_tokens",
    "workload.output_tokens",
    "workload.context_tokens",
    "workload.concurrency",
    "service_level.ttft_ms",
    "service_level.tpot_ms",
    "price.usd_per_hour",
    "price.utilisation",
    "tensor_parallel",
    "group_size",
)
TEXTS = ("model", "hardware", "price.provider", "price.file", "calibration", "format", "engine", "objective")


def question(field: str, raw: str) -> bytes:
    """A question as JSON text with one field set to `raw` JSON."""
    group, _, name = field.rpartition(".")
    inner = f"{{{json.dumps(name)}: {raw}}}" if group else raw
    rest = {"model": '"llama-3.1-8b"', "hardware": '"1xL4"', **{group or name: inner}}
    return ("{" + ", ".join(f'"{key}": {value}' for key, value in rest.items()) + "}").encode("utf-8", "surrogatepass")


def hundred(values: Iterable[str]) -> list[str]:
    """The first hundred different ones."""
    found = list(itertools.islice(dict.fromkeys(values), COUNT))
    assert len(found) == COUNT, len(found)
    return found


def huge_numbers() -> list[str]:
    powers = [f"1{'0' * k}" for k in range(6, 60, 2)] + [
        str(2**k + d) for k in (31, 32, 53, 63, 64, 128) for d in (-1, 0, 1)
    ]
    floats = [f"{m}e{k}" for k in (9, 30, 100, 300, 308) for m in ("1", "1.7", "9.99")]
    long = ["9" * k for k in range(20, 4000, 90)]
    return hundred([*powers, *floats, *long])


def negative_numbers() -> list[str]:
    return hundred(
        [*(f"-{n}" for n in range(1, 60)), *(f"-1e{k}" for k in range(25)), *(f"-0.{k}1" for k in range(25))]
    )


def no_numbers() -> list[str]:
    """NaN and its kin, bare as Python writes them, as text, and out of range."""
    words = ("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "+inf", "1.#QNAN", "null and void", "0x10", "1_000")
    quoted = [
        json.dumps(f"{before}{word}{after}") for word in words for before in ("", " ", "+") for after in ("", " ", "\0")
    ]
    return hundred(["NaN", "Infinity", "-Infinity", *(f"1e{k}" for k in range(400, 410)), *quoted])


def unicode_texts() -> list[str]:
    """Text that is not what it looks like: other directions, nothing at all, halves of pairs, look-alikes, heaps."""
    random.seed(6)
    unseen = (0, 1, 7, 8, 0x1B, 0x7F, 0x85, 0xA0, 0xAD, 0x200B, 0x200E, 0x202E, 0x2066, 0x2028, 0xFEFF)
    beyond = (0xFFFD, 0xFFFF, 0x1F4A9, 0xE0001, 0x10FFFF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF)
    marks = [chr(code) for code in (*unseen, *beyond)]
    around = [f"{a}llama{b}" for mark in marks for a, b in ((mark, ""), ("", mark), (mark, mark))]
    alike = ["lⅼama-3.1-8b", "ｌｌａｍａ", "llаma-3.1-8b", "ĺĺáḿá", "İllama", "ẞ", "ﬀ", "ⅷB", "٨B", "८B", "８B"]
    heaps = ["".join(chr(random.randrange(0x300, 0x370)) for _ in range(n)) + "a" for n in range(1, 30)]
    return hundred([*around, *alike, *heaps])


def paths() -> list[str]:
    roots = ("/etc/passwd", "/proc/self/environ", "/root/.ssh/id_rsa", "C:\\Windows\\win.ini", "/dev/zero")
    before = ("", "./", "../", "../../../../../..", "....//....//", "~", "~root", "file://", "//localhost", "\\\\?\\")
    after = ("", "/", "\0", ".gguf", "?x=1", "#", "%00", "/..", "/config.json")
    return hundred(f"{b}{root}{a}" for a in after for b in before for root in roots)


def templates() -> list[str]:
    inner = (
        "7*7",
        "''.__class__.__mro__",
        "config.items()",
        "cycler.__init__.__globals__.os.popen('id').read()",
        "self",
    )
    wraps = (
        "{{%s}}",
        "{%%print(%s)%%}",
        "${%s}",
        "#{%s}",
        "<%%=%s%%>",
        "{{%s|safe}}",
        "{#%s#}",
        "[[%s]]",
        "{%s}",
        "%%(%s)s",
    )
    scripts = (
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "javascript:alert(1)",
        "<!--", "\" onfocus=alert(1) autofocus x=\"", "'><b>", "</title><script>", "</textarea><script>", "]]>",
    )  # fmt: skip
    return hundred(
        [
            *(wrap % text for text in inner for wrap in wraps),
            *(f"{a}{b}" for a in scripts for b in ("", "x", "\n", "\0", "é")),
        ]
    )


def formulas() -> list[str]:
    """What a spreadsheet would calculate: by each sign, behind blanks and unseen letters, full width, and as links."""
    bodies = ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://x","y")', "SUM(A1:A9)", 'WEBSERVICE("http://x")')
    starts = (
        "=",
        "+",
        "-",
        "@",
        "\t=",
        "\r=",
        "\n=",
        " =",
        "\u00a0=",
        "\u200b=",
        "\ufeff=",
        "＝",
        "＋",
        "－",
        "＠",
        "=-",
        "=+",
        "\0=",
        "  @",
        "\x1b=",
    )
    return hundred(f"{start}{body}" for body in bodies for start in starts)


def rotated(fields: Iterable[str], values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each value with the next field in turn."""
    return zip(itertools.cycle(fields), values, strict=False)
