"""Calibration text: read in its usual forms, fitted to the model, and never the text of the test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from executor.calibration.choosing import Purpose, choose, spread_evenly
from executor.calibration.domain import code_share, looks_like_code
from executor.calibration.language import language_of, languages_of
from executor.calibration.model_card import card_languages
from executor.calibration.overlap import overlapping
from executor.calibration.reading import read_samples
from executor.calibration.samples import Sample
from executor.evaluate.text import held_out_text, prompt_text
from planner.errors import BadInput

ENGLISH = "The committee said that it was ready to look at the plans again, and that the vote is on Monday. "
GERMAN = "Der Ausschuss hat gesagt, dass er die Pläne noch einmal prüft und dass die Wahl am Montag ist. "
CHINESE = "委员会表示，它将再次审查这些计划，投票将在星期一举行。"


def purpose(**changes: object) -> Purpose:
    usual = {"samples": 256, "is_chat": False, "model_languages": (), "task": "general", "evaluation_text": ""}
    return Purpose(**{**usual, **changes})  # type: ignore[arg-type]


def many(text: str, count: int = 130) -> list[Sample]:
    return [Sample(text=f"{index}. {text}") for index in range(count)]


# ---- reading ----------------------------------------------------------------------------------------------------


def test_running_text_is_cut_between_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(f"Paragraph {index}. " + ENGLISH * 10 for index in range(400)))
    samples = read_samples(str(path))
    assert len(samples) >= 128
    assert all(sample.text.startswith("Paragraph") for sample in samples)
    assert all(900 < len(sample.text) <= 2000 for sample in samples[:-1])


def test_a_short_text_gives_shorter_samples_and_still_enough() -> None:
    samples = read_samples(str(prompt_text(None)))
    assert 128 <= len(samples) <= 512
    assert "".join(sample.text for sample in samples).count("idlelib") > 2


@pytest.mark.parametrize(
    ("row", "words", "conversation"),
    [
        ({"text": "plain"}, "plain", False),
        ({"query": "a user's query"}, "a user's query", False),
        ({"prompt": "asked", "response": "answered"}, "asked\nanswered", True),
        ({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}, "hi\nho", True),
        ({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}, "hi\nho", True),
    ],
)
def test_json_lines_in_the_forms_data_sets_have(
    tmp_path: Path, row: dict[str, object], words: str, conversation: bool
) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(row) + "\n\n")
    (sample,) = read_samples(str(path))
    assert (sample.words, sample.is_conversation) == (words, conversation)
    if conversation:
        assert [message["role"] for message in sample.as_json()["messages"]] == ["user", "assistant"]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text('{"text": "good"}\n{"label": 1}\n')
    with pytest.raises(BadInput) as refused:
        read_samples(str(path))
    assert str(refused.value) == (
        f"{path}:2: no text in it (label)\n"
        'To fix: one JSON object a line: {"text": "..."}, {"prompt": "...", "response": "..."} '
        'or {"messages": [{"role": ...}]}'
    )


def test_of_a_data_set_only_what_is_not_held_out_is_read(tmp_path: Path) -> None:
    """A folder as a hub data set is laid out."""
    for split in ("train", "test", "validation"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{split}-00000-of-00001.jsonl").write_text(json.dumps({"text": split}))
    (tmp_path / "README.md").write_text("a card")
    assert [sample.text for sample in read_samples(str(tmp_path))] == ["train"]


def test_a_hub_data_set_is_fetched_and_read_as_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def snapshot(name: str, **options: object) -> str:
        asked.update(name=name, **options)
        (tmp_path / "train.jsonl").write_text('{"text": "from the hub"}')
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert [sample.text for sample in read_samples("owner/data")] == ["from the hub"]
    assert (asked["name"], asked["repo_type"]) == ("owner/data", "dataset")
    assert "*.bin" not in asked["allow_patterns"]  # type: ignore[operator]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="To fix: pip install pyarrow, or give JSON lines"):
        read_samples(str(tmp_path))


def test_a_source_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match=r"^no-such-file.txt: no such calibration text"):
        read_samples("no-such-file.txt")


# ---- language and domain ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        (CHINESE, "zh"),
        ("委員会は、計画を再度検討すると述べた。投票は月曜日に行われます。", "ja"),
        ("위원회는 계획을 다시 검토하겠다고 말했다.", "ko"),
        ("Комитет заявил, что снова рассмотрит планы.", "ru"),
        ("قالت اللجنة إنها ستنظر في الخطط مرة أخرى.", "ar"),
        ("Le comité a dit que les plans sont prêts et qu'il est pour un vote dans la semaine.", "fr"),
        ("El comité dijo que los planes se revisan de nuevo y que la votación es el lunes por la tarde.", "es"),
        ("0 1 2 3 + 4 = 5", "unknown"),
        ("zxcv qwer asdf lkjh poiu", "unknown"),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert language_of(text) == language


def test_the_shipped_text_is_english_prose() -> None:
    samples = read_samples(str(prompt_text(None)))
    shares = languages_of(sample.text for sample in samples)
    assert shares["en"] > 0.8
    assert code_share(sample.text for sample in samples) < 0.35


def test_code_is_told_from_prose() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert code_share([source]) > 0.4
    assert code_share([ENGLISH * 20]) < 0.05
    assert not looks_like_code("for example, the people in the town are happy with it.")
    assert looks_like_code("    return value")


def test_the_models_languages_are_those_of_its_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlanguage:\n- zh\n- en\nlicense: mit\n---\n# A model\n")
    assert card_languages(tmp_path) == ("zh", "en")
    assert card_languages(tmp_path / "nowhere") == ()


# ---- choosing ---------------------------------------------------------------------------------------------------


def test_english_for_a_chinese_model_is_warned_of() -> None:
    chosen = choose(many(ENGLISH), purpose(model_languages=("zh",), evaluation_text=CHINESE))
    assert chosen.warnings == (
        "the calibration text is en, the model's card says zh (A.pitfall.3)",
        "the calibration text is en, the evaluation text zh (A.pitfall.3)",
    )


def test_matching_text_is_not_warned_of() -> None:
    chosen = choose(
        many(ENGLISH), purpose(model_languages=("en", "fr"), evaluation_text=ENGLISH.replace("plans", "cars")[:40])
    )
    assert (chosen.warnings, chosen.languages) == ((), {"en": 1.0})


def test_prose_for_a_coding_model_is_warned_of_and_code_for_a_chat_model() -> None:
    assert choose(many(ENGLISH), purpose(task="code")).warnings == (
        "the workload is code, and 0% of the calibration lines look like code (B.pitfall.6)",
    )
    source = [Sample(text=Path(__file__).read_text(encoding="utf-8"))] * 130
    assert any("the workload is chat (B.pitfall.6)" in said for said in choose(source, purpose(task="chat")).warnings)


def test_a_chat_model_reads_conversations_and_a_base_model_text() -> None:
    chosen = choose(many(ENGLISH), purpose(is_chat=True))
    assert chosen.samples[0].messages == (("user", f"0. {ENGLISH}"),)
    assert "plain texts for a chat model" in chosen.warnings[0]
    talk = [Sample(messages=(("user", ENGLISH), ("assistant", ENGLISH)))] * 130
    assert choose(talk, purpose(is_chat=True)).warnings == ()
    assert choose(talk, purpose()).samples[0] == Sample(text=f"{ENGLISH}\n{ENGLISH}")


def test_too_few_samples_are_warned_of_and_too_many_thinned_evenly() -> None:
    assert choose(many(ENGLISH, 20), purpose()).warnings == (
        "only 20 calibration samples; 128 to 512 are usual (A.workflow)",
    )
    assert [sample.text[0] for sample in spread_evenly(many("", 9), 3)] == ["0", "3", "6"]
    assert len(choose(many(ENGLISH, 2000), purpose(samples=900)).samples) == 512


# ---- never the test set -----------------------------------------------------------------------------------------


def test_calibrating_on_the_evaluation_text_is_refused() -> None:
    evaluation = held_out_text(None).read_text(encoding="utf-8")
    samples = read_samples(str(held_out_text(None)))
    with pytest.raises(BadInput) as refused:
        choose(samples, purpose(evaluation_text=evaluation))
    assert f"{len(samples)} of {len(samples)} calibration samples share passages with the evaluation text" in str(
        refused.value
    )
    assert str(refused.value).endswith(
        "To fix: calibrate on other text than you evaluate on: name another file with --calibration"
    )


def test_the_shipped_texts_share_no_passage() -> None:
    evaluation = held_out_text(None).read_text(encoding="utf-8")
    assert overlapping(read_samples(str(prompt_text(None))), evaluation, words=13) == {}


def test_one_sample_in_a_hundred_is_left_out_and_said() -> None:
    evaluation = "Of all the rivers in the valley only the smallest one runs dry in the summer months each year."
    shared = Sample(text="Yes! of ALL the rivers in the valley, only the smallest one runs dry in the summer.")
    chosen = choose([*many(ENGLISH, 199), shared], purpose(evaluation_text=evaluation))
    assert (len(chosen.samples), chosen.dropped) == (199, 1)
    assert "1 calibration samples share passages" in chosen.warnings[0]


def test_text_without_spaces_is_compared_too() -> None:
    assert overlapping([Sample(text=f"前言。{CHINESE}")], CHINESE, words=13) == {
        0: " ".join("委员会表示它将再次审查这些")
    }
