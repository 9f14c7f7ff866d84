/** Where the processes of the PyTorch engine meet, and what each is told of it: the environment that torchrun gives. */
import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { createServer, isIP } from "node:net";
import { counted } from "../../util/counted.ts";
import { UsageError } from "../../util/errors.ts";

/** What any launcher tells a process of its place among all. */
const variables = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];

/** The place of this machine's processes among all. */
export interface Rendezvous {
  readonly address: string;
  readonly port: number;
  /** Processes on each machine, machines, and which of them this one is. */
  readonly processes: number;
  readonly nodes: number;
  readonly node: number;
  /** What a launcher adds for this machine's processes. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ProcessOptions {
  /** Processes on each machine. */
  readonly processes?: number | undefined;
  /** Machines. */
  readonly nodes?: number | undefined;
  /** Of several machines, `host:port` of the one that trains. */
  readonly rendezvous?: string | undefined;
  /** Who starts all processes but the first. By default Ballast, here; `ray`: Ray, on its cluster, of which `processes` are those of all machines. */
  readonly launch?: "ray" | undefined;
}

/** Undefined for one process. Throws UsageError for machines without a place to meet, or one that is not found from here. */
export async function rendezvousOf(
  { processes = 1, nodes = 1, rendezvous }: ProcessOptions,
  node = 0,
): Promise<Rendezvous | undefined> {
  if (processes * nodes === 1) return undefined;
  if (nodes === 1) return { address: "127.0.0.1", port: await freePort(), processes, nodes, node };
  const [, address, port] = /^(.+):(\d{1,5})$/.exec(rendezvous ?? "") ?? [];
  if (address === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new UsageError(
      `the processes of ${nodes} machines meet at engine.rendezvous, and it is ${rendezvous ?? "not set"}`,
      "Set it to HOST:PORT, an address of this machine that the others reach and a port that is free on it: engine.rendezvous=10.0.0.1:29500",
    );
  await checkName(address);
  return { address, port: Number(port), processes, nodes, node };
}

/** Refuses a name that nobody knows here, and one that is this machine's own only for itself. */
async function checkName(name: string): Promise<void> {
  if (isIP(name) !== 0 || name === "localhost") return;
  const hint = "The rendezvous is HOST:PORT, an address of the machine that trains, such as 10.0.0.1:29500.";
  const found = await lookup(name).catch(() => null);
  if (found === null) throw new UsageError(`no machine has the name ${name} here: it does not resolve`, hint);
  if (!/^(127\.|::1$)/.test(found.address)) return;
  throw new UsageError(
    `the rendezvous is at ${name}, which is ${found.address} here: an address that no other machine reaches`,
    `${hint} (Debian's /etc/hosts gives a machine's own name 127.0.1.1; ip addr shows its others.)`,
  );
}

/** Says for which other machines the first process waits; null if for none. `missing`: ranks. */
export function waitingFor(missing: readonly number[], { address, port, processes, nodes }: Rendezvous): string | null {
  const machines = [...new Set(missing.map((rank) => Math.floor(rank / processes)))].filter((node) => node > 0);
  if (machines.length === 0) return null;
  const one = machines.length === 1;
  const place = `${address}:${port}`;
  const join = `ballast engine join torch --rendezvous ${place} --node ${one ? machines[0] : "N"} --nodes ${nodes} --processes ${processes}`;
  const where = one ? "on it" : `on each, with N ${machines.join(", ")}`;
  return `waiting for ${counted(machines.length, "machine")} at ${place}; ${where}: ${join}`;
}

/**
 * What process `local` of this machine is told. The only one of a run is kept from what surroundings such as Kubeflow, SageMaker or torchrun say
 * of processes: it would wait for the others of a different program.
 */
export function environmentOf(
  local: number,
  rendezvous: Rendezvous | undefined,
): Readonly<Record<string, string | undefined>> {
  if (rendezvous === undefined) return Object.fromEntries(variables.map((name) => [name, undefined]));
  const { address, port, processes, nodes, node, environment } = rendezvous;
  return {
    ...environment,
    RANK: String(node * processes + local),
    LOCAL_RANK: String(local),
    WORLD_SIZE: String(nodes * processes),
    ...{ MASTER_ADDR: address, MASTER_PORT: String(port) },
    // Memory for gathered weights comes and goes with every pass: from the system it comes faster in pages of 2 MB (docs/performance.md). Of Linux with glibc 2.35 or later.
    GLIBC_TUNABLES: process.env.GLIBC_TUNABLES ?? "glibc.malloc.hugetlb=1",
    // By default gloo looks up the host's name, which may be unknown or that of a different network.
    ...(nodes === 1 && existsSync("/sys/class/net/lo") && { GLOO_SOCKET_IFNAME: "lo" }),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
