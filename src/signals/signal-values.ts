/** Metrics as the signals compute them. */

/** Signals by key. A signal that cannot be computed from the record is absent; one that is not defined on it is NaN. */
export type Signals = Record<string, number>;
