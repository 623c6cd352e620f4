#!/bin/sh
# Compares the JSONata evaluator with the npm reference on the same expressions and documents, in one run.
#
#   bench/jsonata_peers.sh [build folder, default build/release] [options of jsonata-bench.mjs]
#
# Needs node and ../shared/peers/jsonata-bench.mjs; says so and ends where they are not there. The reference is
# installed by npm into a folder of its own.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$top/build/release}
[ $# -gt 0 ] && shift
script=$top/../shared/peers/jsonata-bench.mjs
for needed in "$script" "$build/bin/millrace_bench_jsonata"; do
  [ -e "$needed" ] || { echo "skipped: $needed is not there"; exit 0; }
done
command -v npm >/dev/null || { echo "skipped: npm is not there"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$script" "$work/bench.mjs"
cp "$(dirname "$script")/package.json" "$work/package.json"
(cd "$work" && npm install --no-package-lock --silent jsonata >/dev/null)
node "$work/bench.mjs" --peer "$build/bin/millrace_bench_jsonata" "$@"
