"""The portal's handing over of a bot's credentials by QR code; not the OpenAPI, so never with a token."""

from ...errors import ApiError
from ...models.onboarding import BindPollBody, BindResult, BindResultAnswer, BindTask, BindTaskAnswer, BindTaskBody
from ..route import Route
from .base import Resource

CREATE_BIND_TASK = Route("create_bind_task", "POST", "https://q.qq.com/lite/create_bind_task", BindTaskAnswer)
POLL_BIND_RESULT = Route(
    "poll_bind_result", "POST", "https://q.qq.com/lite/poll_bind_result", BindResultAnswer, repeat="always"
)


class Onboarding(Resource):
    """How a tool gets a bot's AppID and secret: a task, its QR code, a result. Any credentials do for the client."""

    async def create_bind_task(self, key: str, *, timeout: float | None = None) -> BindTask:
        """Start a task whose `url()` the user scans; `key`: base64 of 32 random bytes, to be kept to open the secret.

        Raises: ApiError when the portal refuses; ConfigError when `key` is none.
        Source: qqbot-agent-sdk onboard.py
        """
        route = CREATE_BIND_TASK
        answer = await self._call(route, body=BindTaskBody(key=key), timeout=timeout)
        _check(route, answer.retcode, answer.msg)
        return answer.data

    async def poll_bind_result(self, task_id: str, *, timeout: float | None = None) -> BindResult:
        """Return how far a task is; ask every 2 seconds until it is COMPLETED or EXPIRED.

        Raises: ApiError when the portal refuses; ConfigError for an empty id.
        Source: qqbot-agent-sdk onboard.py
        """
        route = POLL_BIND_RESULT
        answer = await self._call(route, body=BindPollBody(task_id=task_id), timeout=timeout)
        _check(route, answer.retcode, answer.msg)
        return answer.data


def _check(route: Route[object], code: int, words: str) -> None:
    if code:
        raise ApiError(200, code, words, method=route.method, path=route.path)
