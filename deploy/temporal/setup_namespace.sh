#!/bin/sh
# Give Temporal the namespace and the search attributes Countersign writes. Safe to repeat.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE say where, RETENTION how long finished workflows can be looked at.
set -eu

until temporal operator cluster health; do
    echo "Temporal is not answering yet; trying again"
    sleep 2
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# The other services learn of a new namespace a few seconds after it was made.
tries=0
until temporal operator search-attribute create \
    --name CountersignAccount --type Keyword \
    --name CountersignCountry --type Keyword \
    --name CountersignCarrier --type Keyword \
    --name CountersignStatus --type Keyword \
    --name CountersignEnvironment --type Keyword; do
    tries=$((tries + 1))
    [ "$tries" -lt 15 ] || exit 1
    sleep 2
done
