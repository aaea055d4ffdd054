# The robot of the first tutorial and the nodes around it, for the scripts that write examples into a directory, $1.
root=$(cd "$(dirname "$0")/../../.." && pwd)
tutorial=$root/docs/tutorials/first_day
mkdir -p "$1" && cd "$1"
out=$PWD
logs=$(mktemp -d)
prefix=$(python -c 'from ament_index_python.packages import get_package_prefix as p; print(p("active_collection"))')
export ROS_DOMAIN_ID=${ROS_DOMAIN_ID:-47} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST OMP_NUM_THREADS=1
declare -A process
trap 'for p in "${process[@]}"; do kill -KILL "$p" 2>/dev/null || true; done' EXIT

start() { # NAME COMMAND...: a process of its own, which Ctrl-C reaches
  local name=$1
  shift
  python -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' \
    "$@" >"$logs/$name" 2>&1 &
  process[$name]=$!
}
stop() { # NAME
  kill -INT "${process[$1]}" && wait "${process[$1]}" || true
  unset "process[$1]"
}
node() { # NAME PARAMETER...
  local name=$1 more=()
  shift
  [ "$name" = scheduler ] || more=(-r __ns:=/arm_1)
  for parameter in "$@"; do more+=(-p "$parameter"); done
  start "$name" python "$prefix/lib/active_collection/$name" --ros-args "${more[@]}"
}
