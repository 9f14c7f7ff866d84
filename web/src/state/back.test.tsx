// @vitest-environment happy-dom
/** A server that comes back: requests that failed while it was away are repeated. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { afterEach, expect, it, vi } from "vitest";

const line = signal("live");
const watch = vi.fn(() => () => {});
vi.mock("./live.ts", () => ({ line, watch, summaries: signal(new Map()) }));

const { openRun } = await import("./run-data.ts");
const { useAnswer } = await import("./use-answer.ts");

let isUp = false;
const fetched = vi.fn(async (address: string) => {
  if (!isUp) throw new TypeError("refused");
  if (address.includes("/series"))
    return Response.json({
      stage: "ppo",
      series: { kl: { width: 1, from: [0], mean: [0.5], nonFinite: [] } },
      cursor: 1,
    });
  return Response.json(address.includes("/events") ? { rows: [], more: false, cursor: 0 } : { name: "it" });
});
vi.stubGlobal("fetch", fetched);

afterEach(() => {
  isUp = false;
  line.value = "live";
});

function comeBack(): void {
  line.value = "waiting";
  isUp = true;
  line.value = "live";
}

it("a run that could not be opened is opened, watched once, and its columns come", async () => {
  const data = openRun("demo-1");
  const end = data.hold();
  data.want("ppo", ["kl"]);
  await vi.waitFor(() => expect(data.error.value).not.toBeNull());
  comeBack();
  await vi.waitFor(() => expect(data.column("ppo", "kl").mean).toEqual([0.5]));
  await vi.waitFor(() => expect(watch).toHaveBeenCalledTimes(1));
  expect(data.error.value).toBeNull();
  const before = fetched.mock.calls.length;
  comeBack();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(fetched.mock.calls.length).toBe(before);
  end();
});

it("a question that failed is asked again", async () => {
  const Asks = () => {
    const { answer, error } = useAnswer<{ name: string }>("/api/thing");
    return <p>{answer?.name ?? error?.message}</p>;
  };
  render(<Asks />, document.body);
  await vi.waitFor(() => expect(document.body.textContent).toContain("does not answer"));
  comeBack();
  await vi.waitFor(() => expect(document.body.textContent).toBe("it"));
  render(null, document.body);
});
