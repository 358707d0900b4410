import assert from "node:assert/strict";
import type { TSchema } from "typebox";
import { Check, Errors } from "typebox/value";

interface MediaType {
  readonly schema?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly summary?: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, MediaType>> }>
  >;
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export const readOpenApi = async (url: string): Promise<OpenApi> =>
  (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;

/** Fails with where and why a value does not fit a schema. */
export function assertFits(schema: unknown, value: unknown, what: string): void {
  if (Check(schema as TSchema, value)) return;
  const [first] = Errors(schema as TSchema, value);
  assert.fail(`${what}: ${JSON.stringify(first)?.slice(0, 400)}`);
}

/** The route that a request was for; undefined where the API has none. */
export function operationOf(api: OpenApi, method: string, path: string): Operation | undefined {
  // What is spelled out counts above what is a parameter.
  const candidates = Object.keys(api.paths).toSorted((a, b) => a.split("{").length - b.split("{").length);
  const found = candidates.find((one) =>
    new RegExp(`^${one.replaceAll(".", "\\.").replace(/\{[^}]+\}/g, "[^/]+")}$`).test(path),
  );
  return found === undefined ? undefined : api.paths[found]?.[method.toLowerCase()];
}

/** An answer is one that the document promises: its status, its type, its schema, and of a failure its code. */
export function assertPromised(
  api: OpenApi,
  request: { readonly method: string; readonly path: string },
  answer: { readonly status: number; readonly contentType: string; readonly text: string },
): void {
  const what = `${request.method} ${request.path} ${answer.status}`;
  const operation = operationOf(api, request.method, request.path);
  assert.ok(operation !== undefined, `${what}: not in the document`);
  const promised = operation.responses[String(answer.status)];
  assert.ok(promised !== undefined, `${what}: ${answer.text.slice(0, 200)}`);
  const type = answer.contentType.split(";")[0] ?? "";
  const media = promised.content?.[type];
  assert.ok(media !== undefined, `${what}: ${type} is not promised`);
  if (type !== "application/json") return;
  const body: unknown = JSON.parse(answer.text);
  assertFits(media.schema, body, what);
  if (answer.status < 400) return;
  const { code } = body as { code: string };
  const isRule = /^[A-Z]{2,3}-\d\d$/.test(code) && answer.status === 422;
  assert.ok(isRule || Object.keys(media.examples ?? {}).includes(code), `${what}: ${code} is not promised`);
}
