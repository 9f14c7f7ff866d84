"""Has Ray start the processes beside the first, which the trainer starts itself: `python -m ballast_torch.ray_launch PROCESSES THREADS GPUS`.

On standard output are lines of JSON: where the processes meet, with what Ray gave the first one; then how each of the others ended. All of them end
when this process does, and it ends when its standard input closes.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import threading

# Seconds until resources that the cluster has, but other work holds, count as not to be had.
PATIENCE = 120
# And until a cluster that does not answer counts as absent: Ray itself goes on asking for minutes.
PATIENCE_TO_FIND = 60
# Of what a process wrote to standard error, the last characters that are told.
KEPT = 8192


def environment_of(rank, processes, address, port):
    """What torchrun would tell one process of each machine; Ray shows each only the devices that are its own."""
    return {
        **{"RANK": str(rank), "LOCAL_RANK": "0", "WORLD_SIZE": str(processes)},
        **{"MASTER_ADDR": address, "MASTER_PORT": str(port)},
        # As of a process that Ballast starts itself (src/engine/torch/rendezvous.ts).
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
    }


def run_rank(rank, environment):
    """On a node of the cluster: runs a process of the worker to its end, and says how that was."""
    ended = subprocess.run([sys.executable, "-m", "ballast_torch"], env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    code = ended.returncode
    errors = ended.stderr.decode(errors="replace")[-KEPT:]
    return {"rank": rank, "code": code if code >= 0 else None, "signal": signal.Signals(-code).name if code < 0 else None, "errors": errors}


class Place:
    """Holds what the first process takes of its node, which Ray would otherwise give to others."""

    def environment(self):
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        return {} if devices is None else {"CUDA_VISIBLE_DEVICES": devices}


def main(processes, threads, gpus):
    try:
        import ray
    except ImportError as error:
        lack("launch is ray, and %s: %s (pip install ray puts it there)" % (sys.executable, error))
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    late = threading.Timer(PATIENCE_TO_FIND, no_cluster, ["none answered within %d s" % PATIENCE_TO_FIND])
    late.start()
    try:
        ray.init(address=os.environ.get("RAY_ADDRESS", "auto"), logging_level="ERROR", log_to_driver=False)
    except Exception as error:
        no_cluster(first_line(error))
    late.cancel()
    here = ray.util.get_node_ip_address()
    each = {"CPU": threads, **({"GPU": gpus} if gpus else {})}
    # The first process is on this node, whatever else is where.
    group = placement_group([{**each, f"node:{here}": 0.001}, *[each] * (processes - 1)], strategy="PACK")
    if not group.wait(PATIENCE):
        lack("the Ray cluster has %s, and did not give %d processes %s each within %d s, the first of them on this node" % (told(ray.available_resources()), processes, told(each), PATIENCE))  # fmt: skip

    def placed(bundle):
        strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle)
        return {"scheduling_strategy": strategy, "num_cpus": threads, "num_gpus": gpus}

    place = ray.remote(Place).options(**placed(0)).remote()
    first = ray.get(place.environment.remote())
    with socket.socket() as free:
        free.bind((here, 0))
        port = free.getsockname()[1]
    passed = {key: os.environ[key] for key in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    run = ray.remote(run_rank)
    others = [
        run.options(max_retries=0, **placed(rank)).remote(rank, {**passed, **environment_of(rank, processes, here, port)}) for rank in range(1, processes)
    ]
    tell({"address": here, "port": port, "environment": first})
    ranks = {other: rank for rank, other in enumerate(others, 1)}
    while others:
        [ended], others = ray.wait(others, num_returns=1)
        try:
            tell(ray.get(ended))
        except ray.exceptions.RayError as error:
            tell({"rank": ranks[ended], "code": 1, "signal": None, "errors": "Ray: %s" % first_line(error)})


def no_cluster(why):
    lack("launch is ray, and no Ray cluster was found from here: %s (RAY_ADDRESS names one; ray start --head starts one)" % why)


def told(resources):
    return ", ".join("%g %s" % (resources[kind], kind) for kind in ("CPU", "GPU") if kind in resources) or "nothing"


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def tell(line):
    print(json.dumps(line), flush=True)


def lack(message):
    """In one line that the trainer looks for."""
    sys.stderr.write("\nballast: %s\n" % message)
    sys.stderr.flush()
    os._exit(78)


def until_closed():
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=until_closed, daemon=True).start()
    main(*(int(argument) for argument in sys.argv[1:]))
