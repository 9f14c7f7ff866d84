/** Frames: what goes in comes out, however the stream is cut into chunks. */
import { expect, test } from "vitest";
import { FrameReader, frameParts } from "./frames.ts";

const messages = [
  {
    id: 1,
    args: {
      values: Float32Array.of(1.5, Number.NaN, Number.POSITIVE_INFINITY),
      nested: [{ n: Int32Array.of(1, -2) }, "é"],
    },
  },
  { numbers: [Number.NaN, Number.NEGATIVE_INFINITY, 0.1, 7], none: null, empty: new Float64Array(0) },
  { large: Float64Array.from({ length: 3000 }, (_, i) => Math.sin(i)) },
];
const stream = () => Buffer.concat(messages.flatMap((message) => frameParts(message)));

test.each([1, 7, 13, 4096, 1_000_000])("chunks of %i bytes", (size) => {
  const reader = new FrameReader();
  const bytes = stream();
  const found: unknown[] = [];
  for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)));
  expect(found).toEqual(messages);
});

test("a stream of something else is refused", () => {
  expect(() => new FrameReader().push(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))).toThrow("not a frame");
});
