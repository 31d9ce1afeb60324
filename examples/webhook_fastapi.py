"""A shop on FastAPI with its bot mounted: one process, one event loop, one lifespan.

Run it with the environment of `qqbot run`, and `pip install 'aioqqbot[webhook]' fastapi uvicorn`:
`uvicorn webhook_fastapi:app --app-dir examples --port 8080`. In the console the callback address is then
https://YOUR.HOST/qq/ with the slash at its end. Write "/order cat" to the bot, and when it is to be shipped:
`curl -X POST http://127.0.0.1:8080/orders/1/shipment`. The routes ask nobody who they are: put your own check there.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI, HTTPException

from qqbot import ApiError, Bot, C2CMessageCreate, Context, GroupMessageEvent, Target, command, parse_command


@dataclass
class Order:
    """An order, and the customer to notify."""

    item: str
    customer: Target
    shipped: bool = False


@dataclass
class Shop:
    """The shop's own state."""

    orders: dict[int, Order] = field(default_factory=dict[int, Order])

    def order(self, item: str, customer: Target) -> int:
        """Note an order and return its number."""
        number = len(self.orders) + 1
        self.orders[number] = Order(item, customer)
        return number


shop = Shop()
bot = Bot()


@bot.on(C2CMessageCreate, GroupMessageEvent, when=command("order"))
async def take_order(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None:
    _, item = parse_command(ctx.text)
    if not item:
        await ctx.reply("What would you like? 请告诉我商品名称，例如 /order cat")
        return
    number = shop.order(item, ctx.target)
    await ctx.reply(f"Order {number}: {item}. 已下单")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Serve the bot as long as the shop is open. A mounted application has no lifespan of its own."""
    async with bot.serve(connect=False):
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/qq", bot.asgi())


@app.get("/orders")
async def list_orders() -> dict[int, str]:
    return {number: order.item for number, order in shop.orders.items() if not order.shipped}


@app.post("/orders/{number}/shipment")
async def ship(number: int) -> dict[str, str]:
    """Ship an order, and notify the customer."""
    order = shop.orders.get(number)
    if order is None:
        raise HTTPException(404, "there is no such order")
    try:
        sent = await bot.send(order.customer, f"Order {number} is on its way. 已发货")
    except ApiError as error:
        raise HTTPException(502, str(error)) from error
    order.shipped = True
    return {"message": sent.id}
