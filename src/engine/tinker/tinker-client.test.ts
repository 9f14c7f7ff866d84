/** The client's requests one by one, on a server of a few lines: keys and tokens, waiting for results, and each answer that is not a result. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { EngineError, UsageError } from "../../util/errors.ts";
import { type ClientOptions, TinkerClient } from "./tinker-client.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

interface Seen {
  readonly path: string;
  readonly key: string | undefined;
  readonly at: number;
}

/** Operations that the server takes. */
const operations = ["optim_step", "forward", "sample", "unload_model"];

const json = (response: ServerResponse, content: object, status = 200) => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(content));
};

/** A server that begins sessions; `handlers` answer what they name in its place, and everything else. */
async function served(handlers: Readonly<Record<string, Handler>> = {}) {
  const seen: Seen[] = [];
  const usual: Readonly<Record<string, Handler>> = {
    "client/config": (_, response) => json(response, {}),
    create_session: (_, response) => json(response, { session_id: "s" }),
    session_heartbeat: (_, response) => json(response, {}),
    ...Object.fromEntries(operations.map((name) => [name, (_, response) => json(response, { request_id: name })])),
  };
  const server = createServer((request, response) => {
    const path = request.url!.replace("/api/v1/", "");
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      seen.push({ path, key: request.headers["x-api-key"] as string | undefined, at: performance.now() });
      const handler = handlers[path] ?? usual[path];
      if (handler) handler(request, response, Buffer.concat(parts).toString());
      else json(response, { detail: "Not Found" }, 404);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const notes: string[] = [];
  const open = async (options: Partial<ClientOptions> = {}) => {
    const client = await TinkerClient.open({ url, patience: 200, onNote: (text) => notes.push(text), ...options });
    onTestFinished(() => client.close());
    return client;
  };
  const asked = (path: string) => seen.filter((one) => one.path === path);
  return { url, open, asked, notes };
}

const resultOf = async (client: TinkerClient, name: string) =>
  client.result(await client.submit(name, () => ({})), name);

const problemOf = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => null,
    (error: Error & { hint?: string }) => error,
  );
  return `${error?.message} / ${error?.hint}`;
};

/** A token that ends so many seconds from now. */
const token = (name: string, seconds: number) =>
  `${name}.${Buffer.from(JSON.stringify({ exp: Date.now() / 1000 + seconds })).toString("base64url")}.`;

describe("the key", () => {
  test("goes with every request", async () => {
    const { open, asked } = await served({ work: (_, response) => json(response, {}) });
    await (await open({ key: "tml-1" })).post("work", {});
    for (const path of ["client/config", "create_session", "session_heartbeat", "work"])
      expect(asked(path)[0]!.key).toBe("tml-1");
  });

  test("is exchanged once for a token, by however many requests, and again before the token ends or after a 401", async () => {
    let exchanges = 0;
    let refuse = false;
    const { open, asked } = await served({
      "client/config": (_, response) => json(response, { pjwt_auth_enabled: true }),
      // The first ends within the five minutes in which it is renewed.
      "auth/token": (_, response) => json(response, { jwt: token(`eyJ${++exchanges}`, exchanges === 1 ? 200 : 3600) }),
      work: (_, response) => {
        if (refuse) json(response, { detail: "expired" }, 401);
        else json(response, {});
        refuse = false;
      },
    });
    const client = await open({ key: "tml-1" });
    expect(exchanges).toBe(2);
    await Promise.all(Array.from({ length: 10 }, () => client.post("work", {})));
    expect(exchanges).toBe(2);
    expect(asked("auth/token").every(({ key }) => key === "tml-1")).toBe(true);
    expect(asked("work").every(({ key }) => key?.startsWith("eyJ2."))).toBe(true);
    refuse = true;
    await client.post("work", {});
    expect(asked("work").at(-1)!.key).toMatch(/^eyJ3\./);
  });

  test("is exchanged again for a result, after a 401", async () => {
    let exchanges = 0;
    const { open, asked } = await served({
      "client/config": (_, response) => json(response, { pjwt_auth_enabled: true }),
      "auth/token": (_, response) => json(response, { jwt: token(`eyJ${++exchanges}`, 3600) }),
      retrieve_future: ({ headers }, response) => {
        if (String(headers["x-api-key"]).startsWith("eyJ1.")) json(response, { detail: "expired" }, 401);
        else json(response, { loss: 1 });
      },
    });
    const client = await open({ key: "tml-1" });
    const both = await Promise.all([resultOf(client, "optim_step"), resultOf(client, "forward")]);
    expect(both).toEqual([{ json: { loss: 1 } }, { json: { loss: 1 } }]);
    expect(exchanges).toBe(2);
    expect(asked("retrieve_future").filter(({ key }) => key?.startsWith("eyJ2."))).toHaveLength(2);
  });

  test("is exchanged for a token when a request is sent, not when it begins to wait for others", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    let exchanges = 0;
    const { work, handlers, release } = heldWork();
    const { open, asked } = await served({
      ...handlers,
      "client/config": (_, response) => json(response, { pjwt_auth_enabled: true }),
      "auth/token": (_, response) => json(response, { jwt: token(`eyJ${++exchanges}`, 3600) }),
    });
    const client = await open({ key: "tml-1" });
    const { calls } = await work(client);
    vi.setSystemTime(Date.now() + 3_600_000);
    release();
    await Promise.all(calls);
    const keys = asked("work").map(({ key }) => key!.slice(0, 4));
    expect(keys.slice(0, 32)).toEqual(Array(32).fill("eyJ1"));
    expect(new Set(keys.slice(32))).toEqual(new Set(["eyJ2"]));
  });

  test("that is refused in the middle of a run ends it as a server's failure does, so that it is saved", async () => {
    const { open } = await served({ work: (_, response) => json(response, { detail: "revoked" }, 403) });
    const client = await open({ key: "tml-1", keyEnv: "TINKER_KEY" });
    const error = await client.post("work", {}).catch((error) => error);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).not.toBeInstanceOf(UsageError);
    expect(error.message).toMatch(/does not let this client in \(403\): the key in TINKER_KEY was refused; revoked/);
    expect(error.hint).toMatch(/ballast resume RUN/);
    const { open: begin } = await served({
      create_session: (_, response) => json(response, { detail: "unknown" }, 401),
    });
    expect(await begin({ key: "tml-1" }).catch((error) => error)).toBeInstanceOf(UsageError);
  });

  test("a token that nobody can read is a sentence", async () => {
    const { open } = await served({
      "client/config": (_, response) => json(response, { pjwt_auth_enabled: true }),
      "auth/token": (_, response) => json(response, { jwt: "no token" }),
    });
    expect(await problemOf(open({ key: "tml-1" }))).toMatch(/gave no token that this client reads for the key/);
  });
});

describe("a server that cannot begin now is not taken for a different one", () => {
  test.each([
    [503, /answered create_session with 503: down/],
    [429, /answered create_session with 429: down/],
    [402, /asks for payment \(402\): down/],
  ])("%d", async (status, message) => {
    const { open } = await served({ create_session: (_, response) => json(response, { detail: "down" }, status) });
    expect(await problemOf(open())).toMatch(message);
  });

  test("one that refuses in words is quoted, and its warnings are notes", async () => {
    const { open } = await served({ create_session: (_, response) => json(response, { error_message: "too old" }) });
    expect(await problemOf(open())).toMatch(/begins no session: too old/);
    const warned = await served({
      create_session: (_, response) => json(response, { session_id: "s", warning_message: "soon too old" }),
    });
    await warned.open();
    expect(warned.notes).toEqual(["the server says: soon too old"]);
  });
});

describe("a result", () => {
  const waiting = (...answers: (readonly [number, object])[]) => {
    let next = 0;
    return served({
      retrieve_future: (_, response) => {
        const [status, content] = answers[Math.min(next++, answers.length - 1)]!;
        json(response, content, status);
      },
    });
  };
  const done = [200, { loss: 1 }] as const;

  test("is asked for again while it is pending, after pauses that grow", async () => {
    const { open, asked } = await waiting(
      ...Array.from({ length: 3 }, () => [408, { detail: "Timeout" }] as const),
      ...Array.from({ length: 3 }, () => [200, { type: "try_again", queue_state: "active" }] as const),
      done,
    );
    const client = await open();
    expect(await resultOf(client, "optim_step")).toEqual({ json: { loss: 1 } });
    const times = asked("retrieve_future").map(({ at }) => at);
    expect(times).toHaveLength(7);
    // 10 + 20 + 40 + 80 + 160 + 320 ms.
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(600);
  });

  test("that never comes ends the wait with a sentence", async () => {
    const { open } = await waiting([408, { detail: "Timeout" }]);
    const client = await open({ resultLimit: 100 });
    expect(await problemOf(resultOf(client, "optim_step"))).toMatch(
      /has finished nothing for .* and optim_step waits.*ballast resume/,
    );
  });

  test("that the server says nothing of for a minute is a note with its reason", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    let polls = 0;
    const { open, notes } = await served({
      retrieve_future: (_, response) => {
        vi.setSystemTime(Date.now() + 40_000);
        if (++polls > 3) json(response, { loss: 1 });
        else json(response, { type: "try_again", queue_state: "paused_capacity", queue_state_reason: "all in use" });
      },
    });
    await resultOf(await open(), "sample");
    expect(notes).toEqual(["the server has worked on sample for a minute; it says: all in use"]);
  });

  test.each([
    [404, { detail: "Future not found" }, /does not know the operation optim_step any more \(404\).*ballast resume/],
    [410, { detail: "gone" }, /has dropped the result of optim_step 4 times \(410\).*ballast resume/],
    [400, { detail: "no such thing" }, /failed at optim_step: no such thing/],
    [200, { error: "it broke", category: "server" }, /failed at optim_step: it broke/],
    [402, { detail: "no money" }, /asks for payment \(402\): no money/],
  ] as const)("that is %d %o is a sentence", async (status, content, message) => {
    const { open } = await waiting([status, content]);
    expect(await problemOf(resultOf(await open(), "optim_step"))).toMatch(message);
  });

  test("that the server has dropped is asked for by submitting the same once more", async () => {
    const bodies: string[] = [];
    const { open, asked } = await served({
      optim_step: (_, response, body) => {
        bodies.push(body);
        json(response, { request_id: String(bodies.length) });
      },
      retrieve_future: (_, response, body) => {
        if (JSON.parse(body).request_id === "1") json(response, { detail: "expired" }, 410);
        else json(response, { loss: 1 });
      },
    });
    const client = await open();
    const submitted = await client.submit("optim_step", () => ({ seq_id: 7 }));
    expect(await client.result(submitted, "optim_step")).toEqual({ json: { loss: 1 } });
    expect(bodies).toEqual(['{"seq_id":7}', '{"seq_id":7}']);
    expect(asked("retrieve_future")).toHaveLength(2);
  });

  test("whose bytes stop coming is asked for again", async () => {
    let polls = 0;
    const { open } = await served({
      retrieve_future: (_, response) => {
        if (++polls > 1) return json(response, { loss: 1 });
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
        response.write('{"loss"');
      },
    });
    const client = await open({ requestLimit: 100 });
    expect(await resultOf(client, "forward")).toEqual({ json: { loss: 1 } });
    expect(polls).toBe(2);
  });

  test("that is no JSON is a sentence with a remedy", async () => {
    const { open } = await served({ retrieve_future: (_, response) => void response.end("<html>") });
    expect(await problemOf(resultOf(await open(), "forward"))).toMatch(/result of forward is not JSON.*version/);
  });
});

/** A server that holds the answers to `work` back until they are released, and 40 requests for it: 32 are in flight, eight wait for them. */
function heldWork() {
  const held: ServerResponse[] = [];
  let open = false;
  const answer = (response: ServerResponse) => json(response, {});
  return {
    held,
    handlers: {
      work: (_: IncomingMessage, response: ServerResponse) => void (open ? answer(response) : held.push(response)),
    },
    /** Resolves when 32 have arrived. */
    work: async (client: TinkerClient) => {
      const calls = Array.from({ length: 40 }, () => client.post("work", {}));
      await vi.waitUntil(() => held.length === 32);
      for (const call of calls) call.catch(() => {});
      return { calls };
    },
    release: () => {
      open = true;
      held.splice(0).map(answer);
    },
  };
}

test("signs of life wait for no other request", async () => {
  const { work, handlers, held, release } = heldWork();
  const { open, asked } = await served(handlers);
  const { calls } = await work(await open({ heartbeat: 20 }));
  const before = asked("session_heartbeat").length;
  await vi.waitUntil(() => asked("session_heartbeat").length > before + 2);
  expect(held).toHaveLength(32);
  release();
  await Promise.all(calls);
});

test("what is urgent waits for no other request either, nor does its result", async () => {
  const { work, handlers, held, release } = heldWork();
  const { open } = await served({
    ...handlers,
    retrieve_future: (_, response) => json(response, { status: "unloaded" }),
  });
  const client = await open();
  const { calls } = await work(client);
  const submitted = await client.submit("unload_model", () => ({}), { urgent: true });
  expect(await client.result(submitted, "unload_model")).toEqual({ json: { status: "unloaded" } });
  expect(held).toHaveLength(32);
  release();
  await Promise.all(calls);
});

test("once it is drained, only what is urgent is sent; once it is closed, nothing", async () => {
  const { work, handlers, held } = heldWork();
  const { open, asked } = await served(handlers);
  const client = await open();
  const { calls } = await work(client);
  client.drain();
  for (const call of calls.slice(32)) expect(await problemOf(call)).toMatch(/the engine is closed/);
  expect(await problemOf(client.post("work", {}))).toMatch(/the engine is closed/);
  await client.submit("unload_model", () => ({}), { urgent: true });
  await client.close();
  for (const call of calls) expect(await problemOf(call)).toMatch(/the engine is closed/);
  expect(await problemOf(client.submit("unload_model", () => ({}), { urgent: true }))).toMatch(/the engine is closed/);
  expect(asked("work")).toHaveLength(32);
  expect(asked("unload_model")).toHaveLength(1);
  expect(held).toHaveLength(32);
  // Less than a request's limit, after which what is in flight would make room.
}, 20_000);

test("what is about to be sent when the client is closed is never sent", async () => {
  const { open, asked } = await served();
  const client = await open();
  const calls = [client.submit("sample", () => ({})), client.submit("unload_model", () => ({}), { urgent: true })];
  await client.close();
  for (const call of calls) expect(await problemOf(call)).toMatch(/the engine is closed/);
  await new Promise((done) => setTimeout(done, 50));
  expect([...asked("sample"), ...asked("unload_model")]).toEqual([]);
});

test("patience does not count the time in which a request waits for others", async () => {
  const { work, handlers, release } = heldWork();
  let tries = 0;
  const { open } = await served({
    ...handlers,
    optim_step: (_, response) => (++tries === 1 ? json(response, {}, 503) : json(response, { request_id: "1" })),
  });
  const client = await open({ patience: 100 });
  const { calls } = await work(client);
  const submitted = client.submit("optim_step", () => ({}));
  await new Promise((done) => setTimeout(done, 200));
  release();
  expect((await submitted).id).toBe("1");
  expect(tries).toBe(2);
  await Promise.all(calls);
});

test("a state that is still being written is waited for", async () => {
  let asks = 0;
  const { open } = await served({
    weights_info: (_, response) => json(response, { lora_rank: 4 }, ++asks === 1 ? 425 : 200),
  });
  expect(await (await open()).post("weights_info", {})).toEqual({ lora_rank: 4 });
});

test("the address may have a path", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    json(response, { session_id: "s" });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const client = await TinkerClient.open({ url: `http://127.0.0.1:${port}/services/tinker/` });
  await client.close();
  expect(asked[0]).toBe("/services/tinker/api/v1/client/config");
});

test("the limits of one request are the server's, and never above the SDK's", async () => {
  const named = (config: object) => served({ "client/config": (_, response) => json(response, config) });
  const of = async (config: object) => (await (await named(config)).open()).limits;
  expect(await of({ fwdbwd_max_chunk_len: 16, fwdbwd_max_chunk_bytes_count: 1000 })).toEqual({
    sequences: 16,
    bytes: 1000,
  });
  expect(await of({ fwdbwd_max_chunk_len: 9999 })).toEqual({ sequences: 1024, bytes: 5_000_000 });
});
