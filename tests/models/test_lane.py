"""`Event.lane`, which `ordering_key` was called in 0.1."""

import pytest

from qqbot.models.events import Event, GroupMessageCreate, decode_event

GROUP_MESSAGE = b'{"id": "1", "group_openid": "G", "author": {"member_openid": "M"}}'


def test_lane_warns_and_returns_the_ordering_key() -> None:
    message = decode_event("GROUP_MESSAGE_CREATE", GROUP_MESSAGE)
    with pytest.warns(DeprecationWarning, match="called ordering_key now"):
        assert message.lane == message.ordering_key == "group:G"


def test_a_class_that_overrides_lane_keeps_its_order_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match="Ordered overrides lane") as caught:

        class Ordered(Event, frozen=True, kw_only=True):
            room: str

            @property
            def lane(self) -> str:
                return f"room:{self.room}"

    assert caught[0].filename == __file__
    assert Ordered(room="1").ordering_key == "room:1"


def test_a_field_or_a_constant_may_be_the_lane() -> None:
    with pytest.warns(DeprecationWarning, match="overrides lane"):

        class WithField(Event, frozen=True, kw_only=True):
            lane: str  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

    with pytest.warns(DeprecationWarning, match="overrides lane"):

        class WithMixin(type("Mixin", (), {"lane": "one", "__slots__": ()}), Event, frozen=True):  # type: ignore[misc]
            pass

    assert WithField(lane="two").ordering_key == "two"
    assert WithMixin().ordering_key == "one"


def test_an_override_may_use_the_lane_of_its_base() -> None:
    with pytest.warns(DeprecationWarning, match="overrides lane"):

        class Narrow(GroupMessageCreate, frozen=True, kw_only=True):
            @property
            def lane(self) -> str:
                return f"{super().lane}:narrow"

    with pytest.warns(DeprecationWarning, match="overrides lane"):

        class Narrower(Narrow, frozen=True, kw_only=True):
            @property
            def lane(self) -> str:
                return f"{super().lane}er"

    with pytest.warns(DeprecationWarning, match=r"Event\.lane"):
        assert Narrower(id="1", group_openid="G").ordering_key == "group:G:narrower"


def test_a_class_for_both_versions_does_not_warn() -> None:
    class Both(Event, frozen=True, kw_only=True):
        @property
        def ordering_key(self) -> str:
            return "new"

        @property
        def lane(self) -> str:
            return "old"

    assert Both().ordering_key == "new"


def test_a_subclass_of_an_old_class_may_move_to_the_new_name() -> None:
    with pytest.warns(DeprecationWarning, match="overrides lane"):

        class Old(Event, frozen=True, kw_only=True):
            @property
            def lane(self) -> str:
                return "old"

    class New(Old, frozen=True, kw_only=True):
        @property
        def ordering_key(self) -> str:
            return f"{super().ordering_key} and new"

    assert New().ordering_key == "old and new"
