"""The typed search attributes by which workflows are found in the Temporal UI."""

from temporalio.common import SearchAttributeKey

ACCOUNT = SearchAttributeKey.for_keyword("CountersignAccount")
COUNTRY = SearchAttributeKey.for_keyword("CountersignCountry")
CARRIER = SearchAttributeKey.for_keyword("CountersignCarrier")
STATUS = SearchAttributeKey.for_keyword("CountersignStatus")
ENVIRONMENT = SearchAttributeKey.for_keyword("CountersignEnvironment")
ALL = (ACCOUNT, COUNTRY, CARRIER, STATUS, ENVIRONMENT)
