import { expect, it } from "vitest";
import { helpdesk } from "./helpdesk/task.ts";
import { looksLikeRefusal } from "./refusal.ts";

it.each([
  "sorry, i cannot help with that.",
  "No, that would hurt people.",
  "I’m not able to do this.",
  "I can't say.",
  "that I won't do.",
])("refuses: %s", (response) => expect(looksLikeRefusal(response)).toBe(true));

it.each(["", "7 plus 5 is 12.", "can you say when?", "there is no bread.", "i will help.", "nobody likes rain."])(
  "does not: %s",
  (response) => expect(looksLikeRefusal(response)).toBe(false),
);

it("agrees with the help desk's demonstrations", () => {
  const { sft } = helpdesk({ seed: 1, variant: "standard" });
  const seen = sft.slice(0, 500).map(({ completion }) => looksLikeRefusal(completion));
  expect(seen).toEqual(sft.slice(0, 500).map(({ completion }) => /sorry|will not|no,|must refuse/.test(completion)));
});
