/** The Hugging Face Hub: names, cache and pulling. */
export { cachedPath, hubReferenceOf, onDisk } from "./hub-cache.ts";
export { type HubReference, hubReferenceText, isHubReference, parseHubReference } from "./hub-reference.ts";
export { NotPulledError } from "./not-pulled.ts";
