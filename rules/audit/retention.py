"""How often a chain is vouched for, and how long its entries are kept. Pure: figures and their reasons."""

_DAY_S = 24 * 3600
# `security.md` §8: hourly. This is also how much of a tail can be cut off unseen by who keeps checkpoints elsewhere.
CHECKPOINT_S = 3600
# In busy hours sooner, so that the unseen part is bounded in entries too.
CHECKPOINT_ENTRIES = 1_000
# `security.md` §9: 13 months, counted so that no calendar is needed and none is shorter.
RETENTION_S = 397 * _DAY_S
# What one cut removes at most: a transaction that is over in a moment, and comes again.
CUT_AT_MOST = 5_000
