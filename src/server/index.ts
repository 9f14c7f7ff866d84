/** The server's public names. */
export { type AppOptions, createApp } from "./app.ts";
export { loadWeb } from "./build-web.ts";
export { isLoopback, namesOf } from "./host.ts";
export { type Listening, listen } from "./listen.ts";
export { Refusal } from "./problem.ts";
export { staticPage } from "./static-page.ts";
export { workspaceToken } from "./token.ts";
