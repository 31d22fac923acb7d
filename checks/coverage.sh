#!/bin/sh
# Which lines of the core the seeds of the fuzz targets reach, file by file.
#
#   checks/coverage.sh                  a table
#   checks/coverage.sh --missing        also the lines that are not reached
#   checks/coverage.sh --test NAME...   the coverage of other tests, by their cargo test names
#
# Needs llvm-profdata and llvm-cov in the LLVM version of rustc: from the component llvm-tools, or on
# Debian from the package llvm-VERSION.
set -eu
cd "$(dirname "$0")/.."

missing=false
if [ "${1:-}" = --missing ]; then
  missing=true
  shift
fi
[ $# -gt 0 ] || set -- --test fuzz_seeds

# Prints the path of an LLVM tool.
tool() {
  version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
  component=$(rustc --print target-libdir)/../bin/$1
  if [ -x "$component" ]; then echo "$component"; else command -v "$1-$version"; fi ||
    { echo "there is no $1 for LLVM $version" >&2; return 1; }
}
profdata=$(tool llvm-profdata)
cov=$(tool llvm-cov)

target=${CARGO_TARGET_DIR:-target}/coverage
profiles=$(mktemp -d)
trap 'rm -rf "$profiles"' EXIT
export RUSTFLAGS='-Cinstrument-coverage' LLVM_PROFILE_FILE="$profiles/%p-%m.profraw"

programs=$(cargo test --target-dir "$target" --features net --no-run "$@" 2>&1 |
  sed -n 's/.*Executable .*(\(.*\))/--object \1/p')
cargo test --quiet --target-dir "$target" --features net "$@" >/dev/null
"$profdata" merge --sparse -o "$profiles/all.profdata" "$profiles"/*.profraw

# shellcheck disable=SC2086 # One word for each option and each path.
"$cov" report $programs --instr-profile="$profiles/all.profdata" --sources src/protocol |
  awk '
    $1 == "Filename" { printf "%-14s %6s %8s %7s\n", "file", "lines", "missed", "cover" }
    NF >= 10 && $8 + 0 { printf "%-14s %6d %8d %7s\n", $1, $8, $9, $10 }
  '
if $missing; then
  # shellcheck disable=SC2086
  "$cov" show $programs --instr-profile="$profiles/all.profdata" --sources src/protocol |
    grep -E '^/|^ +[0-9]+\| +0\|' || true
fi
