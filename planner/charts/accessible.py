"""matplotlib's SVG made fit for a page: it says in words what it shows, and carries no style of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from planner.charts.colours import ROLES

FONTS = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif"
COLOURED = ("fill", "stroke")


def accessible(drawn: str, *, title: str, says: str, tips: Mapping[str, Sequence[str]]) -> str:
    """The SVG with a title, a description and a title of each mark in `tips` (by the id of its group).

    Styles become presentation attributes, which a policy without inline styles allows, and each colour of a role gets a
    class, by which a page's stylesheet recolours it; nothing refers outside the file.
    """
    root = ElementTree.fromstring(drawn)
    used = {href[1:] for node in root.iter() for name, href in node.items() if name.endswith("href")}
    parents = [(parent, child) for parent in root.iter() for child in parent]
    for parent, child in parents:
        if _local(child.tag) in ("style", "metadata"):
            parent.remove(child)
    for node in list(root.iter()):
        _say(node, tips.get(node.get("id", ""), ()))
    for node in root.iter():
        _plain(node, used)
    _describe(root, title, says)
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """A name without its namespace: SVG within a page has none."""
    return name.rpartition("}")[2]


def _say(group: Element, tips: Sequence[str]) -> None:
    """Each mark of the group gets what it says, in order: browsers show it when the mark is pointed at."""
    marks = [(parent, use) for parent in group.iter() for use in parent if _local(use.tag) == "use"]
    for (parent, use), text in zip(marks, tips, strict=False):
        if text:
            wrapped = Element("g")
            SubElement(wrapped, "title").text = text
            wrapped.append(use)
            parent[list(parent).index(use)] = wrapped


def _plain(node: Element, used: set[str]) -> None:
    node.tag = _local(node.tag)
    if node.tag != "text":
        node.text = (node.text or "").strip() if node.tag == "title" else None
    node.tail = None
    styles = [part.partition(":") for part in node.attrib.pop("style", "").split(";") if part.strip()]
    found = {_local(name): " ".join(value.split()) for name, value in node.attrib.items()}
    found |= {name.strip(): value.strip() for name, _, value in styles if name.strip() != "font-family"}
    if found.get("id") in used:
        # A stylesheet's `.chart .stroke-ink` does not reach into a mark: it takes its colour from the `use` around it.
        found.pop("stroke", None)
    else:
        found.pop("id", None)
    if found.get("transform", "").startswith("rotate(-0 "):
        del found["transform"]
    roles = [f"{name}-{ROLES[found[name]]}" for name in COLOURED if found.get(name) in ROLES]
    if roles:
        found["class"] = " ".join(roles)
    node.attrib.clear()
    node.attrib.update(found)


def _describe(root: Element, title: str, says: str) -> None:
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib.update({
        "xmlns": "http://www.w3.org/2000/svg", "class": "chart", "role": "img", "aria-label": says,
        "width": width, "height": height, "font-family": FONTS, "stroke-linejoin": "round",
    })  # fmt: skip
    for at, (tag, text) in enumerate((("title", title), ("desc", says))):
        node = Element(tag)
        node.text = text
        root.insert(at, node)
