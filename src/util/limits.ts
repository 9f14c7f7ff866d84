/** Bounds on what a configuration may ask of a machine, held before anything is allocated. */

/**
 * Threads of the engine. The largest servers have 768 hardware threads (two sockets of 192 cores with two threads each); every
 * thread has a stack, and 100,000 of them take the machine down with the process.
 */
export const mostThreads = 1024;

/** Sequences held at once, as rows of numbers by token: a million of 100 tokens take gigabytes already. */
export const mostSequences = 1_000_000;
