#!/bin/sh
# Fuzzes the core: checks/fuzz-core.sh [--keep] [target] [seconds]. Without a target it runs all of them
# for 60 s each.
#
# Starts from fuzz/seeds and collects new inputs in fuzz/corpus. --keep adds the inputs with new coverage
# to the seeds. Prints executions, coverage and findings. Exit code 1 on a finding; the input that
# reproduces it is then in fuzz/artifacts.
#
# Needs cargo and a C++ compiler. The core has no unsafe code, so no sanitizer is needed, and without one a
# stable toolchain suffices. cargo +nightly fuzz run TARGET works too.
set -eu
cd "$(dirname "$0")/../fuzz"

keep=false
if [ "${1:-}" = --keep ]; then
  keep=true
  shift
fi
targets='bencode decoder exchange_initiator exchange_responder extended handshake hashes messages metadata notices pex transfer wire'
case "${1:-}" in
'' | *[!0-9]*) [ $# = 0 ] || { targets=$1; shift; } ;;
esac
seconds=${1:-60}

host=$(rustc -vV | sed -n 's/^host: //p')
# The flags of cargo-fuzz, except those that trace comparisons: tracing takes two thirds of the time, and
# the numbers in the cases are small. --target keeps the flags from build scripts.
export RUSTFLAGS="--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 \
-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table"
cargo build --quiet --release --target "$host"
programs=${CARGO_TARGET_DIR:-target}/$host/release

# Runs a target; prints its last lines and, on a finding, its whole output.
fuzz() {
  mkdir -p "corpus/$1" "artifacts/$1"
  log=$(mktemp)
  if "$programs/$1" -max_total_time="$seconds" -max_len=1024 -timeout=10 -rss_limit_mb=1024 \
    -artifact_prefix="artifacts/$1/" "corpus/$1" "seeds/$1" >"$log" 2>&1; then
    finding=none
  else
    finding=FOUND
    cat "$log"
  fi
  runs=$(sed -n 's/^#\([0-9][0-9]*\).*/\1/p' "$log" | tail -1)
  coverage=$(sed -n 's/.*cov: \([0-9]*\) ft: \([0-9]*\).*/\1 edges, \2 features/p' "$log" | tail -1)
  echo "fuzz: $1: $runs executions, $coverage, findings: $finding"
  rm -f "$log"
  [ "$finding" = none ]
}

# As many at once as there are processors.
jobs=$(getconf _NPROCESSORS_ONLN)
failed=$(mktemp)
begun=0
for target in $targets; do
  { fuzz "$target" || echo "$target" >>"$failed"; } &
  begun=$((begun + 1))
  if [ $((begun % jobs)) = 0 ]; then wait; fi
done
wait
for target in $targets; do
  if $keep; then
    "$programs/$target" -set_cover_merge=1 -max_len=1024 "seeds/$target" "corpus/$target" 2>/dev/null
  fi
done
if [ -s "$failed" ]; then status=1; else status=0; fi
rm -f "$failed"
exit $status
