/** What the HTTP API says and takes: types, validation and OpenAPI from one source. */
export * from "./arrival.ts";
export * from "./chain.ts";
export * from "./common.ts";
export * from "./control.ts";
export * from "./doctor.ts";
export * from "./events.ts";
export * from "./links.ts";
export * from "./status.ts";
export * from "./timeline.ts";
export * from "./transactions.ts";
