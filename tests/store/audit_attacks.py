"""What somebody with the database but without the key may do to the trail, on the rows themselves, triggers dropped."""

import random
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rules.audit.chain import GENESIS, Link, hash_of
from rules.audit.checkpoints import Checkpoint
from security.audit_signing import AuditSigner

COLUMNS = tuple(Link.__dataclass_fields__)
_KEYS = {
    "audit_entry": ("chain", "sequence"),
    "audit_head": ("chain",),
    "audit_checkpoint": ("chain", "sequence", "kind"),
}
_ROWS = {
    "audit_entry": COLUMNS,
    "audit_head": ("chain", "sequence", "hash"),
    "audit_checkpoint": ("chain", "sequence", "kind", "hash", "at", "kid", "signature"),
}
Attack = Callable[[sqlite3.Connection, random.Random], None]


def open_as_attacker(path: str) -> sqlite3.Connection:
    """Open a database file, with everything that guards it switched off."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA synchronous = OFF")
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    return connection


def flip_a_bit(database: sqlite3.Connection, rng: random.Random) -> None:
    """Flip one bit of one column of one row, whatever it makes of it."""
    table = rng.choice(list(_ROWS))
    column = rng.choice(_ROWS[table])
    key = _KEYS[table]
    row = rng.choice(database.execute(f"SELECT {', '.join(key)}, {column} FROM {table}").fetchall())
    where = " AND ".join(f"{each} = ?" for each in key)
    flipped = "?" if isinstance(row[-1], int) else "CAST(? AS TEXT)"
    try:
        database.execute(f"UPDATE {table} SET {column} = {flipped} WHERE {where}", (_flipped(row[-1], rng), *row[:-1]))
    except sqlite3.IntegrityError:  # another row has this key: another bit, then
        flip_a_bit(database, rng)


def delete_entries(database: sqlite3.Connection, rng: random.Random) -> None:
    """Delete some entries in a row, the newest ones too; every other time renumber what follows."""
    chain, last = _a_chain(database, rng)
    first, count = rng.randint(1, last), rng.randint(1, 3)
    database.execute(
        "DELETE FROM audit_entry WHERE chain = ? AND sequence BETWEEN ? AND ?", (chain, first, first + count - 1)
    )
    if rng.random() < 0.5:
        for sequence in range(first + count, last + 1):
            _renumber(database, chain, sequence, sequence - count)


def reorder_entries(database: sqlite3.Connection, rng: random.Random) -> None:
    """Put two entries in each other's place, with or without their hashes."""
    chain, last = _a_chain(database, rng)
    one, other = rng.sample(range(1, last + 1), 2)
    if rng.random() < 0.5:
        _renumber(database, chain, one, -1)
        _renumber(database, chain, other, one)
        _renumber(database, chain, -1, other)
        return
    links = {link.sequence: link for link in _links(database, chain)}
    for at, taken in ((one, other), (other, one)):
        content = {**asdict(links[taken]), "sequence": at, "previous": links[at].previous, "hash": links[at].hash}
        _put(database, Link(**content))


def insert_an_entry(database: sqlite3.Connection, rng: random.Random) -> None:
    """Put in a well-formed entry: between others, those after it renumbered, or after the newest one."""
    chain, last = _a_chain(database, rng)
    at = rng.randint(1, last + 1)
    links = {link.sequence: link for link in _links(database, chain)}
    for sequence in range(last, at - 1, -1):
        _renumber(database, chain, sequence, sequence + 1)
    previous = links[at - 1].hash if at > 1 else GENESIS
    _put(
        database,
        _hashed({**asdict(links[max(1, at - 1)]), "sequence": at, "actor": "operator:x", "previous": previous}),
    )


def cut_the_tail_off(database: sqlite3.Connection, rng: random.Random) -> None:
    """Delete the newest entries, put the head back to match, and delete the checkpoints that knew them."""
    chain, last = _a_chain(database, rng)
    keep = rng.randint(0, last - 1)
    for table in ("audit_entry", "audit_checkpoint"):
        database.execute(f"DELETE FROM {table} WHERE chain = ? AND sequence > ?", (chain, keep))
    if keep:
        _set_head(database, chain)
    else:
        database.execute("DELETE FROM audit_head WHERE chain = ?", (chain,))


def rebuild_the_chain(database: sqlite3.Connection, rng: random.Random) -> None:
    """Change, drop or add an entry, hash everything after it anew, set the head, drop the checkpoints."""
    chain, last = _a_chain(database, rng)
    links = _links(database, chain)
    at = rng.randrange(last)
    match rng.randrange(3):
        case 0:
            links[at] = Link(**{**asdict(links[at]), "subject": "key:Zz999999"})
        case 1:
            del links[at]
        case _:
            links.insert(at, Link(**{**asdict(links[at]), "actor": "operator:x"}))
    database.execute("DELETE FROM audit_entry WHERE chain = ?", (chain,))
    previous = GENESIS
    for sequence, link in enumerate(links, start=1):
        made = _hashed({**asdict(link), "sequence": sequence, "previous": previous})
        _put(database, made)
        previous = made.hash
    _set_head(database, chain)
    database.execute("DELETE FROM audit_checkpoint WHERE chain = ?", (chain,))


def rebuild_and_sign_with_another_key(database: sqlite3.Connection, rng: random.Random) -> None:
    """Rebuild a chain, and vouch for the rest too, with a key of one's own."""
    rebuild_the_chain(database, rng)
    for (chain,) in database.execute("SELECT chain FROM audit_head ORDER BY chain").fetchall():
        database.execute("DELETE FROM audit_checkpoint WHERE chain = ?", (chain,))
        _sign_with_another_key(database, chain, rng)


def remove_a_chain(database: sqlite3.Connection, rng: random.Random) -> None:
    """Remove every trace of a chain."""
    chain, _ = _a_chain(database, rng)
    for table in _ROWS:
        database.execute(f"DELETE FROM {table} WHERE chain = ?", (chain,))


def lose_a_head_or_checkpoint(database: sqlite3.Connection, rng: random.Random) -> None:
    """Delete one row that vouches for a chain."""
    chain, _ = _a_chain(database, rng)
    database.execute(f"DELETE FROM {rng.choice(('audit_head', 'audit_checkpoint'))} WHERE chain = ?", (chain,))


ATTACKS: tuple[Attack, ...] = (
    flip_a_bit,
    delete_entries,
    reorder_entries,
    insert_an_entry,
    cut_the_tail_off,
    rebuild_the_chain,
    rebuild_and_sign_with_another_key,
    remove_a_chain,
    lose_a_head_or_checkpoint,
)


def _a_chain(database: sqlite3.Connection, rng: random.Random) -> tuple[str, int]:
    chain = rng.choice([each for (each,) in database.execute("SELECT chain FROM audit_head ORDER BY chain")])
    (last,) = database.execute("SELECT max(sequence) FROM audit_entry WHERE chain = ?", (chain,)).fetchone()
    return chain, last


def _flipped(value: Any, rng: random.Random) -> Any:
    if value is None:
        return b"@"
    if isinstance(value, int):
        return value ^ (1 << rng.randrange(31))
    data = bytearray(value.encode())
    if not data:
        return b"@"
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _links(database: sqlite3.Connection, chain: str) -> list[Link]:
    query = f"SELECT {', '.join(COLUMNS)} FROM audit_entry WHERE chain = ? ORDER BY sequence"
    return [Link(*row) for row in database.execute(query, (chain,))]


def _put(database: sqlite3.Connection, link: Link) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    values = tuple(asdict(link).values())
    database.execute(f"INSERT OR REPLACE INTO audit_entry ({', '.join(COLUMNS)}) VALUES ({marks})", values)


def _hashed(content: dict[str, Any]) -> Link:
    """Return an entry with the hash that its content has; `at` is as it is stored."""
    link = Link(**content)
    as_hashed = Link(**{**content, "at": link.at.replace(" ", "T") + "Z"})
    return Link(**{**content, "hash": hash_of(as_hashed)})


def _renumber(database: sqlite3.Connection, chain: str, old: int, new: int) -> None:
    database.execute("UPDATE audit_entry SET sequence = ? WHERE chain = ? AND sequence = ?", (new, chain, old))


def _set_head(database: sqlite3.Connection, chain: str) -> None:
    newest = _links(database, chain)[-1]
    database.execute(
        "UPDATE audit_head SET sequence = ?, hash = ? WHERE chain = ?", (newest.sequence, newest.hash, chain)
    )


def _sign_with_another_key(database: sqlite3.Connection, chain: str, rng: random.Random) -> None:
    newest = _links(database, chain)[-1]
    at = "2026-11-24T07:00:00.000000Z"
    unsigned = Checkpoint(chain=chain, sequence=newest.sequence, hash=newest.hash, at=at, kind="hour", kid="")
    signed = AuditSigner(rng.randbytes(32)).sign(unsigned)
    stored_at = at.removesuffix("Z").replace("T", " ")
    database.execute(
        "INSERT INTO audit_checkpoint (chain, sequence, kind, hash, at, kid, signature) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (chain, signed.sequence, signed.kind, signed.hash, stored_at, signed.kid, signed.signature),
    )
