/** The server's public names. */
export { type AppOptions, createApp } from "./app.ts";
export { type Listening, listen } from "./listen.ts";
