/** Metrics as computed by the signals. */

/** Signals by key. A signal that cannot be computed from the record is absent; one that is undefined for it is NaN. */
export type Signals = Record<string, number>;
