"""The deterministic model: it reads the prompt and does what it says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sandbox.agent.model import MODELS, Conversation, complete, draw, read_prompt
from sandbox.agent.tools import Call, Order, ToolAnswer, ToolResult

MODEL = replace(MODELS["gpt-x-2026-08-01"], skill=1.0)
ORDER = Order("A-7", 34.5, 12)
PROMPT = """You are brief.
When the customer asks for a refund: call find_order with order_id, then issue_refund with amount.
When the customer asks about a parcel: be kind. Call track_parcel with order_number.
"""


def asking(message: str, *answers: str, prompt: str = PROMPT) -> Conversation:
    """A conversation in which these tools have answered."""
    return Conversation(
        prompt, "user-1", message, ORDER, tuple(ToolAnswer(a, ToolResult.OK, f"{a} done") for a in answers)
    )


def test_prompt_is_read_into_situations_and_steps() -> None:
    """Instructions become the words that call for them and their steps, with the arguments as written."""
    assert read_prompt(PROMPT) == (
        (
            frozenset({"refund"}),
            (("find_order", ("order_id",)), ("issue_refund", ("amount",))),
        ),
        (frozenset({"parcel"}), (("track_parcel", ("order_number",)),)),
    )


def test_steps_are_taken_one_by_one_and_then_the_last_answer_is_given() -> None:
    """The model makes the calls of the fitting instruction in order, then says what the last one said."""
    message = "I want a refund"

    said = [
        complete(MODEL, asking(message, *done), 1200)
        for done in ([], ["find_order"], ["find_order", "issue_refund"])
    ]

    assert [(s.call, s.text) for s in said] == [
        (Call("find_order", {"order_id": "A-7"}), None),
        (Call("issue_refund", {"amount": 34.5}), None),
        (None, "issue_refund done"),
    ]


def test_argument_names_are_the_prompts() -> None:
    """A prompt that calls the order's number `order_id` makes the model pass `order_id`."""
    prompt = "When the customer asks about a parcel: call track_parcel with order_id and color."

    assert complete(MODEL, asking("my parcel?", prompt=prompt), 1200).call == Call(
        "track_parcel", {"order_id": "A-7"}
    )


def test_nothing_that_fits() -> None:
    """A message that no instruction speaks of is answered without any call."""
    said = complete(MODEL, asking("good morning"), 1200)

    assert (said.call, said.text) == (None, "How can I help you?")


def test_hard_messages_are_a_share_that_follows_from_skill() -> None:
    """Of many messages the model is at a loss with about 1 - skill, and always with the same ones."""
    model = replace(MODEL, skill=0.9)

    lost = [complete(model, asking(f"parcel {n}"), 1200).call is None for n in range(2000)]

    assert lost == [complete(model, asking(f"parcel {n}"), 1200).call is None for n in range(2000)]
    assert 140 <= sum(lost) <= 260


@given(st.text(max_size=50), st.integers(1, 100))
def test_tokens_are_bounded_and_longer_prompts_cost_more(message: str, max_tokens: int) -> None:
    """Output keeps to the bundle's limit, and 400 more characters of prompt are 100 more input tokens."""
    short = complete(MODEL, asking(message), max_tokens)
    long = complete(MODEL, asking(message, prompt=PROMPT + "x" * 400), max_tokens)

    assert short.output_tokens <= max_tokens
    assert long.input_tokens == short.input_tokens + 100


@given(st.text())
def test_draw_is_a_function_of_its_seed(seed: str) -> None:
    """The same seed gives the same number in [0, 1)."""
    assert 0 <= draw(seed) < 1
    assert draw(seed) == draw(seed)
