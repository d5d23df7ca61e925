"""Every field that the code gives its logs is listed in `runtime/logs.py`; a field that is not would be withheld."""

from pathlib import PurePosixPath

from runtime.logs import FIELDS
from tests.architecture.code_rules import Source, python_files
from tests.architecture.log_fields import fields_of


def test_every_field_that_the_code_logs_is_listed_and_no_other() -> None:
    used = {field for source in python_files() if source.room not in {"tests", "bench"} for field in fields_of(source)}

    assert used == FIELDS, "a new field is added to FIELDS in runtime/logs.py, on purpose"


def test_a_field_that_is_not_listed_is_noticed() -> None:
    source = Source(
        PurePosixPath("a.py"), '_log.info("x", carrier=1, telephone=2, exc_info=e)\nlog.warning("y", tries=3)'
    )

    assert set(fields_of(source)) == {"carrier", "telephone", "tries"}
