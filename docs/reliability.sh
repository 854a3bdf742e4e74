#!/usr/bin/env bash
# Measurements of docs/reliability.md: reliability.sh kills | full-disk | read-only | sparse | soak. From any folder, on Linux.
# full-disk mounts a small tmpfs in a namespace of its own; read-only must not be run as root.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jar=sharnn-cli/target/sharnn.jar
text=$work/text
head -c 20000 sharnn-core/src/main/java/io/github/sharnn/SHARNN.java >"$text"
small="--embedding-size 64 --boom-size 256 --memory-length 64 --batch-size 4 --sequence-length 32"

kills() {
  mvn -q -B -pl sharnn-train -am test -Dtest=KillTest -Dsurefire.failIfNoSpecifiedTests=false -Dsharnn.kills="${1:-20}"
}

full_disk() {
  mkdir "$work/disk"
  unshare --map-root-user --mount bash -euo pipefail -c '
    jar=$1 work=$2 small=$3 text=$4
    mount -t tmpfs -o size=4m tmpfs "$work"
    java -jar "$jar" train $small --corpus "$text" --steps 60 --checkpoint-interval 10 --output "$work/run" || echo "exit code $?"
    ls "$work/run"
    mount -o remount,size=64m "$work"
    java -jar "$jar" train --resume "$work/run"
  ' - "$jar" "$work/disk" "$small" "$text"
}

read_only() {
  java -jar "$jar" train $small --corpus "$text" --steps 2000 --checkpoint-interval 200 --output "$work/run" &
  until ls -d "$work"/run/checkpoint-* >"$work/seen" 2>&1; do sleep 0.1; done
  chmod a-w "$work/run"
  wait $! || echo "exit code $?"
  chmod u+w "$work/run"
  ls "$work/run"
}

sparse() {
  truncate -s 20G "$work/sparse"
  for run in first second; do
    start=$(date +%s.%N)
    java -Xmx256m -jar "$jar" train $small --corpus "$work/sparse" --split 20000000000,20000,20000 --steps 200 --output "$work/$run" &
    until [ -s "$work/$run/metrics.jsonl" ]; do sleep 0.05; done
    echo "$run: first step after $(echo "$(date +%s.%N) - $start" | bc) s"
    wait $!
  done
}

# Memory, arrays, files and threads of the process as /proc and jcmd, of a JDK, see it from outside.
soak() {
  java -Xms384m -Xmx384m -XX:+AlwaysPreTouch -Dai.djl.pytorch.num_threads=1 -jar "$jar" train \
    --embedding-size 16 --boom-size 32 --memory-length 64 --batch-size 4 --sequence-length 16 --corpus "$text" --output "$work/run" \
    --steps "$1" --evaluation-interval 100 --checkpoint-interval 250 >"$work/out" &
  echo "step  resident MiB  native arrays  open files  threads  Java objects in use, MiB"
  for at in 200 $(seq $(($1 / 5)) $(($1 / 5)) $(($1 - 200))) $(($1 - 200)); do
    step=0
    until [ "$step" -ge "$at" ]; do
      sleep 0.2
      step=$(tail -n 3 "$work/run/metrics.jsonl" 2>&1 | grep -o '"step":[0-9]*' | tail -n 1 | cut -d : -f 2 || true)
      step=${step:-0}
    done
    for i in 1 2 3 4 5; do # each after a collection, somewhere in a step; the fewest arrays count
      jcmd $! GC.class_histogram >"$work/objects"
      awk '$4 == "ai.djl.pytorch.engine.PtNDArray" { print $2 }' "$work/objects"
    done | sort -n | head -n 1 >"$work/arrays"
    echo "$step  $(awk '/VmRSS/ { printf "%.1f", $2 / 1024 }' /proc/$!/status)  $(cat "$work/arrays")" \
      " $(ls /proc/$!/fd | wc -l)  $(ls /proc/$!/task | wc -l)  $(awk '$1 == "Total" { printf "%.1f", $3 / 1048576 }' "$work/objects")"
  done
  wait $!
  tail -n 3 "$work/out"
}

[ "${1:-}" = kills ] || [ -f "$jar" ] || mvn -q -B package -DskipTests
case "${1:-}" in
  kills) kills "${2:-20}" ;;
  full-disk) full_disk ;;
  read-only) read_only ;;
  sparse) sparse ;;
  soak) soak "${2:-50000}" ;;
  *) sed -n 2,3p "$0" ;;
esac
