#!/bin/sh
# Starts $CHROMIUM in the network namespace $NETWORK.
exec nsenter --net="$NETWORK" "$CHROMIUM" "$@"
