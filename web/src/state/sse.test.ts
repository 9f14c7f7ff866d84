/** Events survive however the connection splits them. */

import { expect, it } from "vitest";
import fc from "../../../test/support/property.ts";
import { eventReader } from "./sse.ts";

const events = [
  { event: "batch", data: '{"a":"x\\n\\ny","b":1}' },
  { event: "beat", data: "" },
  { event: "batch", data: ' "leading space": {}' },
];
const text = events.map(({ event, data }, i) => `event: ${event}\nid: ${i}\ndata: ${data}\n\n`).join("");

it("is whole from pieces of any size", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 30 }), (cuts) => {
      const read = eventReader();
      const places = [0, ...cuts.sort((a, b) => a - b), text.length];
      const found = places.slice(1).flatMap((end, i) => read(text.slice(places[i], end)));
      expect(found).toEqual(events);
    }),
  );
});

it("waits for the end of an event, and skips comments", () => {
  const read = eventReader();
  expect(read(": hello\nevent: batch\ndata: 1\n")).toEqual([]);
  expect(read("\n")).toEqual([{ event: "batch", data: "1" }]);
});
