"""The simulator's control API, as a program in another process uses it."""

from typing import Any, Self

import aiohttp


class Control:
    """Speaks for the users of the simulated platform."""

    def __init__(self, api_base: str, token: str) -> None:
        self._base = api_base
        self._headers = {"Authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=20))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, command: str, **body: object) -> dict[str, Any]:
        async with self._session.post(f"{self._base}/_sim/{command}", json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def state(self) -> dict[str, Any]:
        async with self._session.get(f"{self._base}/_sim/state") as response:
            return await response.json()

    async def saved_chat(self) -> str:
        """The whole chat, as the page saves it."""
        async with self._session.get(f"{self._base}/_sim/chat") as response:
            return await response.text()

    async def say(self, scene: str, text: str, **more: object) -> list[dict[str, Any]]:
        """Let Alice say something in a scene; the bot's replies."""
        answer = await self.post("say", scene=scene, conversation="test", user="Alice", text=text, **more)
        return answer["replies"]

    async def click(self, message: str, button: str) -> dict[str, Any]:
        return await self.post("click", message=message, button=button, user="Alice")
