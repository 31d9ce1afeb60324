"""The names with which a manager outside of the package is typed."""

import qqbot.sessions


def test_what_a_manager_is_typed_with_is_public() -> None:
    needed = {"GatewaySource", "Lease", "LostReason", "Permit", "SessionManager", "ShardFactory", "StandbyLease"}
    assert needed <= set(qqbot.sessions.__all__)
    assert all(hasattr(qqbot.sessions, name) for name in needed)
