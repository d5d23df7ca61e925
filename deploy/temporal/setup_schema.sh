#!/bin/sh
# Bring Temporal's two databases to the schema of this admin-tools image. Safe to repeat: an upgrade does just that.
# POSTGRES_SEEDS, DB_PORT and POSTGRES_USER say where the databases are and whose; SQL_PASSWORD is that role's.
set -eu

schema=/etc/temporal/schema/postgresql/v12

tool() {
    temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" "$@"
}

tool --db temporal setup-schema -v 0.0
tool --db temporal update-schema -d "$schema/temporal/versioned"

tool --db temporal_visibility setup-schema -v 0.0
tool --db temporal_visibility update-schema -d "$schema/visibility/versioned"
