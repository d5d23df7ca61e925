-- Run once by the postgres image, on an empty volume: one role and its databases for each of the two programs, and
-- neither may look into the other's.

\getenv countersign_password POSTGRES_PASSWORD_COUNTERSIGN
\getenv temporal_password POSTGRES_PASSWORD_TEMPORAL

CREATE ROLE countersign LOGIN PASSWORD :'countersign_password';
CREATE DATABASE countersign OWNER countersign;
REVOKE ALL ON DATABASE countersign FROM PUBLIC;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
REVOKE ALL ON DATABASE temporal FROM PUBLIC;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE temporal_visibility FROM PUBLIC;
