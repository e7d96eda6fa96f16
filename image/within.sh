# Sourced by the scripts that check a cluster.
within() {  # within SECONDS WHAT COMMAND...: until the command succeeds
  local until=$((SECONDS + $1)) limit=$1 what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS > until)); then echo "not within $limit s: $what" >&2; exit 1; fi
    sleep 0.2
  done
  echo "$what"
}
