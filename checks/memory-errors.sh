#!/bin/sh
# Runs the tests of the addon under AddressSanitizer and LeakSanitizer.
#
# Exit code 1 when a test fails, on any memory error in a process started by a test, and on any leak with
# the addon in its stack. Leaks of Node itself are ignored. Needs gcc and nightly Rust on Linux with glibc.
#
#   checks/memory-errors.sh                   all tests
#   checks/memory-errors.sh <spec file>...    some of them
set -eu
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Built with the fuse, so that panics unwind under the sanitizers too.
RUSTFLAGS=-Zsanitizer=address cargo +nightly build --quiet --features fuse --target "$host"
cp "${CARGO_TARGET_DIR:-target}/$host/debug/libpeer_wire.so" "$folder/addon.node"

# The addon is a library, so the runtime of the sanitizers must be loaded before it. The quarantine of freed
# memory is small because tests measure the memory of their process. Each test file runs in a process of its
# own and leaks are searched at its exit: with worker threads, the addon and its symbols would be unloaded
# by then.
status=0
env LD_PRELOAD="$(gcc -print-file-name=libasan.so)" \
  ASAN_OPTIONS="detect_leaks=1:exitcode=0:quarantine_size_mb=32:log_path=$folder/report" \
  NAPI_RS_NATIVE_LIBRARY_PATH="$folder/addon.node" \
  PWP_CASES="${PWP_CASES:-10000}" \
  node node_modules/ava/entrypoints/cli.mjs --no-worker-threads --serial "$@" || status=1

# A report is a paragraph. The addon's symbols contain the name of its crate; once unloaded it has none.
find "$folder" -name 'report.*' -exec awk -v RS= -v ORS='\n\n' '
  /ERROR: AddressSanitizer/ || / leak of / && (/peer_wire/ || /#1 0x[0-9a-f]+ +\(<unknown module>\)/)
' {} + >"$folder/findings"
if ! [ -s "$folder/findings" ]; then
  echo "no memory error, no leak of the addon in $(find "$folder" -name 'report.*' | wc -l) reports"
  exit "$status"
fi
cat "$folder/findings"
exit 1
