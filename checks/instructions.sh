#!/bin/sh
# Counts the instructions of the core for fixed inputs, and compares them with the baseline.
#
# Counts do not depend on the load of the machine, so a change of a few percent comes from the code.
# Needs cargo and valgrind. Exit code 1 when a count is more than 5 % above its baseline.
#
#   checks/instructions.sh            compare
#   checks/instructions.sh --update   write the baseline
set -eu
cd "$(dirname "$0")/.."

baseline=benches/rust/instructions.txt
margin=5
program=${CARGO_TARGET_DIR:-benches/rust/target}/release/instructions

case "${1:-}" in
'' | --update) ;;
*)
  echo "usage: $0 [--update]" >&2
  exit 2
  ;;
esac

cargo build --quiet --release --manifest-path benches/rust/Cargo.toml --bin instructions

# Instructions of one run, counted by callgrind.
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Instructions of one round: the difference of two runs excludes startup and exit.
measure() {
  few=$(count "$1" 5)
  many=$(count "$1" 25)
  echo $(((many - few) / 20))
}

counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
for name in $("$program"); do
  echo "$name $(measure "$name")" >>"$counts"
done

if [ "${1:-}" = --update ]; then
  {
    echo "# Instructions by case, written by checks/instructions.sh with $(rustc --version)."
    cat "$counts"
  } >"$baseline"
fi

awk -v margin="$margin" '
  /^#/ { next }
  NR == FNR { before[$1] = $2; next }
  FNR == 1 { printf "%-34s %12s %12s %9s\n", "case", "baseline", "now", "change" }
  !($1 in before) { printf "%-34s %12s %12d %9s\n", $1, "-", $2, "new"; bad = 1; next }
  {
    change = ($2 - before[$1]) * 100 / before[$1]
    above = change > margin
    printf "%-34s %12d %12d %+8.1f%%%s\n", $1, before[$1], $2, change, above ? "  above the margin" : ""
    if (above) bad = 1
    delete before[$1]
  }
  END {
    for (name in before) { printf "%-34s %12d %12s %9s\n", name, before[name], "-", "gone"; bad = 1 }
    exit bad
  }
' "$baseline" "$counts"
