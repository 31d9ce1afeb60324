"""Credentials of a bot by QR code, from the developers' portal. It is not the OpenAPI, so no token is sent."""

from dataclasses import replace
from typing import TypeVar

from ...errors import ApiError
from ...models.onboarding import (
    PORTAL,
    BindPollBody,
    BindResult,
    BindResultAnswer,
    BindTask,
    BindTaskAnswer,
    BindTaskBody,
)
from ..route import Route
from .base import Call, Resource

CREATE_BIND_TASK = Route("create_bind_task", "POST", f"{PORTAL}/lite/create_bind_task", BindTaskAnswer)
POLL_BIND_RESULT = Route(
    "poll_bind_result", "POST", f"{PORTAL}/lite/poll_bind_result", BindResultAnswer, repeat="always"
)


T = TypeVar("T")


def _at(route: Route[T], portal: str) -> Route[T]:
    return replace(route, path=route.path.replace(PORTAL, portal, 1))


class Onboarding(Resource):
    """Lets a tool get a bot's AppID and secret: a task, its QR code, its result. It needs no credentials.

    `portal`: the base of the addresses, for a simulator.
    """

    def __init__(self, call: Call, portal: str = PORTAL) -> None:
        super().__init__(call)
        self._create = _at(CREATE_BIND_TASK, portal)
        self._poll = _at(POLL_BIND_RESULT, portal)

    async def create_bind_task(self, key: str, *, timeout: float | None = None) -> BindTask:
        """Start a task; the user scans its `url()`. `key`: base64 of 32 random bytes; keep it to decrypt the secret.

        Raises: ApiError if the portal refuses; ConfigError for an invalid `key`.
        Source: qqbot-agent-sdk onboard.py
        """
        route = self._create
        answer = await self._call(route, body=BindTaskBody(key=key), timeout=timeout)
        _check(route, answer.retcode, answer.msg)
        return answer.data

    async def poll_bind_result(self, task_id: str, *, timeout: float | None = None) -> BindResult:
        """Return the state of a task; call it every 2 seconds until the state is COMPLETED or EXPIRED.

        Raises: ApiError if the portal refuses; ConfigError for an empty id.
        Source: qqbot-agent-sdk onboard.py
        """
        route = self._poll
        answer = await self._call(route, body=BindPollBody(task_id=task_id), timeout=timeout)
        _check(route, answer.retcode, answer.msg)
        return answer.data


def _check(route: Route[object], code: int, words: str) -> None:
    if code:
        raise ApiError(200, code, words, method=route.method, path=route.path)
