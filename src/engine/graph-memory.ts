/** The memory that the engine in this process takes, by configuration, without starting it. */
export { forwardBytes, lossBytes, samplingBytes, tokensWithin } from "./embedded/pass-memory.ts";
