"""One calibration sample: a text, or a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """Exactly one of the two: `text`, or `messages` as [{role, content}]."""

    text: str = ""
    messages: tuple[tuple[str, str], ...] = ()

    @property
    def is_conversation(self) -> bool:
        return bool(self.messages)

    @property
    def words(self) -> str:
        """All that is said in it."""
        return "\n".join(content for _, content in self.messages) if self.messages else self.text

    def as_conversation(self) -> Sample:
        """The sample as a chat model meets it: a bare text becomes what a user says."""
        return self if self.is_conversation else Sample(messages=(("user", self.text),))

    def as_text(self) -> Sample:
        """The sample as a base model meets it."""
        return Sample(text=self.words)

    def as_json(self) -> dict[str, Any]:
        if self.is_conversation:
            return {"messages": [{"role": role, "content": content} for role, content in self.messages]}
        return {"text": self.text}
