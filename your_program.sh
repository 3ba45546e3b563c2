#!/bin/sh
# your_program.sh [server.properties]: the built broker, as staged "build your own Kafka" courses start one.
broker="$(dirname "$0")/build/release/kafka-broker"
if [ ! -x "$broker" ]; then
  echo "your_program.sh: $broker is not built yet; deploy/run builds it" >&2
  exit 1
fi
exec "$broker" "$@"
