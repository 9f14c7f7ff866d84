/** Tinker's messages have the bytes that the tinker SDK's own protobuf classes give them (test/fixtures/make_tinker_fixture.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import fc from "../../../test/support/property.ts";
import { MessageWriter, readMessage } from "./protobuf.ts";
import { decodePass, decodeSamples, encodePass } from "./tinker-messages.ts";

const fixture = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/tinker-messages.json", import.meta.url), "utf8"),
) as Record<string, string>;
const golden = (name: string) => new Uint8Array(Buffer.from(fixture[name]!, "base64"));

test("the request of a pass, to the byte", () => {
  const data = [
    {
      tokens: Int32Array.of(10, 11, 70000),
      targets: Int32Array.of(11, 70000, 12),
      inputs: { weights: Float32Array.of(0, 1, -0.5) },
    },
    { tokens: Int32Array.of(5), targets: Int32Array.of(2), inputs: { weights: Float32Array.of(1) } },
  ];
  const request = { model: "model_7", sequenceNumber: 300, lossName: "importance_sampling", data, forwardOnly: true };
  expect(Buffer.from(encodePass(request)).toString("base64")).toBe(fixture.request);
});

test.each(["float32", "bfloat16"])("the result of a pass in %s, whose rows come in several records", (name) => {
  const { logprobs } = decodePass(golden(name));
  expect(logprobs!.map((row) => Array.from(row))).toEqual([[-1, -2], [-0.5], [-3, -4, -5]]);
});

test("outputs that nobody reads are passed over, whatever they are of", () => {
  const field = (name: string, tensor: MessageWriter) =>
    new MessageWriter().bytes(1, name).bytes(2, tensor, { always: true });
  const tensor = (type: number, data: Uint8Array, ends: readonly bigint[]) =>
    new MessageWriter()
      .bytes(1, data)
      .bytes(2, new Uint8Array(BigInt64Array.from(ends).buffer))
      .varint(3, type);
  const record = new MessageWriter()
    .bytes(2, field("token_ids", tensor(2, new Uint8Array(8), [0n, 8n])), { always: true })
    .bytes(2, field("logprobs", tensor(1, new Uint8Array(Float32Array.of(-2).buffer), [0n, 4n])), { always: true });
  const answer = decodePass(new MessageWriter().bytes(2, record, { always: true }).finish());
  expect(answer).toEqual({ logprobs: [Float32Array.of(-2)] });
});

test("samples, with and without log-probabilities", () => {
  expect(decodeSamples(golden("samples"))).toEqual([
    { stopReason: "stop", tokens: Int32Array.of(205, 1), logprobs: Float32Array.of(-4, -0.25) },
    { stopReason: "length", tokens: Int32Array.of(186, 229, 213), logprobs: null },
  ]);
});

test("what is cut off or is no message is an error, never a wrong number", () => {
  const whole = golden("float32");
  let refused = 0;
  for (let length = 1; length < whole.length; length++) {
    try {
      const { logprobs = [] } = decodePass(whole.subarray(0, length));
      // A cut between two fields leaves a message with fewer rows.
      expect([0, 2, 3]).toContain(logprobs.length);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(whole.length / 2);
});

test("fields come back as they were written", () => {
  const numbers = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 28 }), numbers, fc.uint8Array(), (field, number, bytes) => {
      const message = new MessageWriter().varint(field, number).bytes(field, bytes, { always: true }).finish();
      const [first, second] = readMessage(message).get(field)!;
      expect(first).toBe(number);
      expect(Array.from(second as Uint8Array)).toEqual(Array.from(bytes));
    }),
  );
});
