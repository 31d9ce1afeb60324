"""Example event bodies: the initial text of the form for custom events.

Made from the tables of models: the required fields, and the fields whose value is known.
"""

from ..state.clock import Clock
from ..state.world import Conversation, Person, World
from ..wire import JsonObject, identity
from ..wire.tables import Field, Tables

_DEEPEST = 4
_EMPTY: dict[str, object] = {"string": "", "int": 0, "bool": False}
_OWN_ID = {"Guild": "guild_id", "Channel": "channel_id"}
_TIMES = ("timestamp", "_at", "_time")


def event_template(tables: Tables, kind: str, known: JsonObject) -> object:
    """Return a body of this event type; `known` fills fields by their names.

    Raises: ValueError if the type is not in the tables.
    """
    event = tables.events.get(kind)
    if event is None:
        raise ValueError(f"there is no event type {kind!r}")
    own_id = known.get(_OWN_ID.get(event.data, ""), identity.message_id())
    return _object(tables, event.data, {**known, "id": own_id}, _DEEPEST)


def known_fields(world: World, clock: Clock, where: Conversation, person: Person) -> JsonObject:
    """Return field values by name for this conversation and person; for other scenes, those of their first one."""
    known: JsonObject = {"content": "hello", "username": person.name, "nick": person.name, "name": where.name}
    known |= {"time": clock.timestamp(), "seconds": int(clock.date().timestamp())}
    known |= {"guild_id": identity.snowflake("guild", "guild"), "user_id": identity.snowflake("person", person.name)}
    for place in (*reversed(list(world.all())), where):
        known |= _place_fields(place, person if place is where else next(iter(place.people.values()), person))
    return known


def _place_fields(where: Conversation, person: Person) -> JsonObject:
    if where.scene == "group":
        members: JsonObject = dict.fromkeys(("member_openid", "op_member_openid", "group_member_openid"), person.id)
        return {"group_openid": where.id, "id": person.id, **members}
    if where.scene == "c2c":
        return {"user_openid": where.id, "openid": where.id, "id": where.id}
    ids: JsonObject = dict.fromkeys(("user_id", "op_user_id", "author_id", "id"), person.id)
    return {"guild_id": where.guild_id, "channel_id": where.channel_id, "joined_at": person.joined_at, **ids}


def _object(tables: Tables, model: str, known: JsonObject, depth: int) -> JsonObject:
    """Return the fields of a model that have a value. The id of inner objects is that of the person."""
    found = [(field, _value(tables, field, known, depth)) for field in tables.models.get(model, ())]
    return {field.name: value for field, value in found if value is not None}


def _value(tables: Tables, field: Field, known: JsonObject, depth: int) -> object:
    if field.name.endswith(_TIMES) and (field.required or field.name in known):
        return known["seconds"] if field.type == "int" else known["time"]
    if known.get(field.name):
        return known[field.name]
    if field.type in tables.models and depth and (field.required or field.name in ("author", "data")):
        return _object(tables, field.type, known, depth - 1)
    if field.required and field.name.endswith("_id"):
        return identity.trace_id()
    return _EMPTY.get(field.type) if field.required else None
