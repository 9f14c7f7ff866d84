/** Upper bounds on what a configuration may request of a machine, enforced before anything is allocated. */

/**
 * Most threads of the engine. The largest servers have 768 hardware threads (two sockets of 192 cores with two threads each); every thread
 * has a stack, and 100,000 of them exhaust the machine's memory.
 */
export const mostThreads = 1024;

/** Most processes of an engine on a machine, and most machines: far above what one run of a model that fits the interface needs. */
export const mostProcesses = 1024;

/** Most sequences held at once, as rows of numbers by token: a million sequences of 100 tokens already take gigabytes. */
export const mostSequences = 1_000_000;
