/** A process that serves a workspace's database: `dashboard-server.ts DATABASE`. Prints its address, and at its end its own time and memory. */
import { createApp, listen } from "../src/server/index.ts";
import { openStore } from "../src/store/index.ts";

const store = openStore(process.argv[2] as string);
const server = await listen(createApp(store), { port: 0 });
process.stdout.write(`${server.url}\n`);
process.on("SIGTERM", async () => {
  const { user, system } = process.cpuUsage();
  const memoryMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(`${JSON.stringify({ cpuSeconds: (user + system) / 1e6, memoryMb })}\n`, () => process.exit(0));
});
