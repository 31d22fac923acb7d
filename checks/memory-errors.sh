#!/bin/sh
# Runs the tests of the addon under AddressSanitizer and LeakSanitizer.
#
# Exit code 1 when a test fails, on any memory error in a process that a test has started, and on any
# leak with the addon in its stack. Node itself leaks, which is not our concern. Needs gcc and nightly
# Rust on Linux with glibc.
#
#   checks/memory-errors.sh                   all tests
#   checks/memory-errors.sh <spec file>...    some of them
set -eu
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# With a fuse, so that panics unwind under the sanitizers too.
RUSTFLAGS=-Zsanitizer=address cargo +nightly build --quiet --features fuse --target "$host"
cp "${CARGO_TARGET_DIR:-target}/$host/debug/libpeer_wire.so" "$folder/addon.node"

# The addon is a library, so the runtime of the sanitizers has to be in the process before it. A small
# quarantine of freed memory, as tests look at the memory of their process. Each test file has a
# process of its own, at the end of which leaks are looked for: in a worker thread the addon, and its
# names with it, would be gone by then.
status=0
env LD_PRELOAD="$(gcc -print-file-name=libasan.so)" \
  ASAN_OPTIONS="detect_leaks=1:exitcode=0:quarantine_size_mb=32:log_path=$folder/report" \
  NAPI_RS_NATIVE_LIBRARY_PATH="$folder/addon.node" \
  PWP_CASES="${PWP_CASES:-10000}" \
  node node_modules/ava/entrypoints/cli.mjs --no-worker-threads --serial "$@" || status=1

# A report is a paragraph. The addon's names hold that of its crate; it has none once it is unloaded.
find "$folder" -name 'report.*' -exec awk -v RS= -v ORS='\n\n' '
  /ERROR: AddressSanitizer/ || / leak of / && (/peer_wire/ || /#1 0x[0-9a-f]+ +\(<unknown module>\)/)
' {} + >"$folder/findings"
if ! [ -s "$folder/findings" ]; then
  echo "no memory error, no leak of the addon in $(find "$folder" -name 'report.*' | wc -l) reports"
  exit "$status"
fi
cat "$folder/findings"
exit 1
