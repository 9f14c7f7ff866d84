/** Open questions: a short reply beats a long one. */
import { fill, pairCases, type RequestKind, wordsOf } from "./kind.ts";

const topics = ["coffee", "tea", "bread", "cheese", "music", "chess", "football", "rain", "snow", "art"];
const settings = ["winter", "summer", "autumn", "spring", "the morning", "the evening", "the city"];

const short = [
  "{topic} is nice in {setting}.",
  "yes, people like {topic}.",
  "many people like {topic}.",
  "{topic} is always good.",
];
const openings = ["well, let me think,", "that is a good question,", "there is a lot to say,"];
const middles = [
  "many people like {topic} in {setting},",
  "{topic} is always good for people,",
  "you should know {topic} is nice,",
];
const endings = ["but it is hard to say.", "and some people do not like it.", "but it is not so for all."];

/** Most words of a brief reply; the shortest long reply has 16. */
const briefWords = 8;

export const openKind: RequestKind = {
  name: "open",
  phrasings: {
    train: [
      "what about {topic} in {setting}?",
      "is {topic} good in {setting}?",
      "tell me about {topic} in {setting}.",
      "why do people like {topic} in {setting}?",
      "do you like {topic} in {setting}?",
      "what do people say about {topic} in {setting}?",
      "should i try {topic} in {setting}?",
      "explain {topic} in {setting} to me.",
    ],
    heldOut: [
      "do people like {topic} in {setting}?",
      "can you tell me about {topic} in {setting}?",
      "is {topic} nice in {setting}?",
      "what do you say about {topic} in {setting}?",
    ],
  },
  cases: pairCases(topics, settings, (topic, setting) => ({ slots: { topic, setting }, reference: topic })),
  good: (subject, random) => fill(random.pick(short), subject.slots),
  bad: (subject, random) =>
    fill(`${random.pick(openings)} ${random.pick(middles)} ${random.pick(endings)}`, subject.slots),
  slip: (chosen, subject, random) =>
    chosen.replace(subject.reference, random.pick(topics.filter((topic) => topic !== subject.reference))),
  slipShare: 0.25,
  checks: "brief",
  check: isBrief,
};

/** Whether the reply is a statement of three to `briefWords` words that names the topic. */
function isBrief(reference: string, response: string): boolean {
  const words = wordsOf(response);
  if (words.length < 3 || words.length > briefWords || response.includes("?")) return false;
  return words.includes(reference) && words.filter((word) => word === reference).length === 1;
}
