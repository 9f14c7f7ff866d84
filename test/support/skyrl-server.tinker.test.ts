import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { missingSkyrl } from "./skyrl-server.ts";

const missing = missingSkyrl();
const json = { "content-type": "application/json" };

describe.skipIf(missing !== "")(`SkyRL's server${missing}`, () => {
  const server = inject("skyrl");
  const post = async (path: string, body: object) =>
    (
      await fetch(`${server?.url}/api/v1/${path}`, { method: "POST", headers: json, body: JSON.stringify(body) })
    ).json();
  let model_id: string;

  beforeAll(async () => {
    const { session_id } = (await post("create_session", { tags: [], sdk_version: "0.25.0" })) as {
      session_id: string;
    };
    const body = { session_id, model_seq_id: 0, base_model: "not/the-base", lora_config: { rank: 8, seed: 1 } };
    ({ model_id } = (await post("create_model", body)) as { model_id: string });
  });
  afterAll(() => post("unload_model", { model_id }));

  it("runs the model that was made for it, and takes any name for it", async () => {
    const capabilities = await (await fetch(`${server?.url}/api/v1/get_server_capabilities`)).json();
    expect(capabilities).toEqual({ supported_models: [{ model_name: server?.baseModel }] });
    const { request_id } = (await post("save_weights", { model_id, path: "first", seq_id: 1 })) as {
      request_id: string;
    };
    expect(await post("retrieve_future", { request_id })).toEqual({
      path: `tinker://${model_id}/weights/first`,
      type: "save_weights",
    });
  });

  it("says no to JSON if protobuf is meant", async () => {
    expect(await post("forward_backward", { model_id, seq_id: 2, forward_backward_input: { data: [] } })).toEqual({
      detail: expect.stringContaining("protobuf"),
    });
  });
});
