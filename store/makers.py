"""Who made what machines call with: a person, in the end, whatever keys and clients stand in between.

So that nobody approves what they ask for themselves through a key, or a client, of their own making.
"""

from typing import Any

from sqlalchemy import ColumnElement, func, literal, or_, select

from store.oauth_tables import OAuthClient
from store.tables import ApiKey, table_of

_KEY_ACTOR, _CLIENT_ACTOR = "key:", "client:"


def maker(actor: str | None) -> Any:
    """Return what stands as the maker of what an actor makes: the actor, or who made that key or client."""
    if actor is None:
        return None
    for prefix, name, table in _machines():
        if actor.startswith(prefix):
            of_maker = select(table.c.made_by).where(table.c[name] == actor.removeprefix(prefix))
            return func.coalesce(of_maker.scalar_subquery(), actor)
    return actor


def is_made_by(actor: ColumnElement[str], person: str) -> ColumnElement[bool]:
    """Return the condition that an actor, of a row, calls with a key or a client that a person made."""
    return or_(
        *(
            select(table.c[name])
            .where(literal(prefix).concat(table.c[name]) == actor, table.c.made_by == person)
            .exists()
            for prefix, name, table in _machines()
        )
    )


def _machines() -> list[tuple[str, str, Any]]:
    # Under names of their own: what is inserted into may be one of them.
    key, client = table_of(ApiKey).alias("maker_key"), table_of(OAuthClient).alias("maker_client")
    return [(_KEY_ACTOR, "key_id", key), (_CLIENT_ACTOR, "client_id", client)]
