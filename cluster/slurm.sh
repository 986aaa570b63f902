#!/usr/bin/env bash
# Start Ray on every host of a Slurm allocation, run a command on the first one, stop Ray. See slurm.md.
#SBATCH --job-name=nas-study
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
set -euo pipefail

if [ "$#" -eq 0 ]; then
    echo "slurm.sh needs the command to run, such as: nas-study run STUDY.yaml --address auto --store /shared/results" >&2
    exit 2
fi
source "${ENVIRONMENT:-${SLURM_SUBMIT_DIR:-.}/.venv}/bin/activate"
export RAY_USAGE_STATS_ENABLED=0
# Other users' jobs reach these ports, too: all hosts ask for a token of this allocation's own, in any version of Ray.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts[0]}
port=$((20000 + SLURM_JOB_ID % 10000))
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname -I | cut -d' ' -f1)
cpus=${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}
gpus=${SLURM_GPUS_ON_NODE:-0}

started=()
finish() {
    kill "${started[@]}" 2>/dev/null || true
    wait "${started[@]}" 2>/dev/null || true
}
trap finish EXIT

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --block --node-ip-address="$address" --port="$port" --num-cpus="$cpus" --num-gpus="$gpus" \
    --include-dashboard=false &
started+=($!)
for host in "${hosts[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$host" \
        ray start --block --address="$address:$port" --num-cpus="$cpus" --num-gpus="$gpus" &
    started+=($!)
done

export RAY_ADDRESS="$address:$port"
for _ in $(seq 60); do
    alive=$(python -c "import ray; ray.init(log_to_driver=False, logging_level='ERROR'); print(sum(n['Alive'] for n in ray.nodes()))" 2>/dev/null || echo 0)
    [ "$alive" -ge "${#hosts[@]}" ] && break
    sleep 2
done
if [ "$alive" -lt "${#hosts[@]}" ]; then
    echo "Ray must run on all ${#hosts[@]} hosts of the allocation, but $alive answered within two minutes; see the output above" >&2
    exit 1
fi

"$@" &
command=$!
trap 'kill -TERM "$command" 2>/dev/null || true' TERM INT
status=0
wait "$command" || status=$?
if kill -0 "$command" 2>/dev/null; then     # the first wait was cut short by the signal
    status=0
    wait "$command" || status=$?
fi
exit "$status"
