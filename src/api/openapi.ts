import { API_ERRORS, type ApiErrorCode, type ErrorExample } from "./error-codes.ts";
import { BODY_ERRORS, COMMON_ERRORS, READING_ERRORS, ROUTE_DOCS, type RouteDoc } from "./route-docs.ts";
import { ErrorBody } from "./schemas/index.ts";

type Json = Record<string, unknown>;
interface MediaType {
  schema?: unknown;
  examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  description?: string;
  security?: readonly Json[];
  requestBody?: { content: Record<string, MediaType> };
  responses: Record<string, { description: string; content?: Record<string, MediaType>; headers?: Json }>;
}
export interface OpenApiDocument {
  readonly paths: Record<string, Record<string, Operation>>;
}

const named = (values: Readonly<Record<string, unknown>>): NonNullable<MediaType["examples"]> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));

/** Everything a route may answer beside success, by status. */
function errorsOf(method: string, { errors }: RouteDoc): readonly ApiErrorCode[] {
  const isReading = method === "get";
  const hasBody = method === "post" || method === "put";
  return [...COMMON_ERRORS, ...(isReading ? READING_ERRORS : []), ...(hasBody ? BODY_ERRORS : []), ...errors];
}

const RETRY_AFTER = {
  "Retry-After": { description: "seconds until the request would be served", schema: { type: "integer" } },
};

function errorResponses(codes: readonly ApiErrorCode[]): Operation["responses"] {
  const responses: Operation["responses"] = {};
  for (const code of codes) {
    const { status, message, details = {} }: ErrorExample = API_ERRORS[code];
    const before = responses[String(status)];
    const examples = before?.content?.["application/json"]?.examples ?? {};
    responses[String(status)] = {
      description: before === undefined ? code : `${before.description}, ${code}`,
      ...(status === 429 ? { headers: RETRY_AFTER } : {}),
      content: {
        "application/json": {
          schema: ErrorBody,
          examples: { ...examples, [code]: { value: { code, message, details } } },
        },
      },
    };
  }
  return responses;
}

function complete(method: string, operation: Operation, doc: RouteDoc): void {
  const success = operation.responses["200"] ?? { description: "" };
  const contentType = doc.contentType ?? "application/json";
  const schema = success.content?.[contentType]?.schema ?? { type: "string" };
  const ok = {
    description: "It is done, or here it is.",
    content: { [contentType]: { schema, examples: named(doc.answers) } },
  };
  operation.responses = { "200": ok, ...errorResponses(errorsOf(method, doc)) };
  if (doc.description !== undefined) operation.description = doc.description;
  // Reading needs it on some addresses, changing always.
  operation.security = method === "get" ? [{}, { token: [] }] : [{ token: [] }];
  if (doc.requestContent !== undefined)
    operation.requestBody = {
      content: Object.fromEntries(
        Object.entries(doc.requestContent).map(([type, one]) => [type, { schema: one }]),
      ),
    };
  const json = operation.requestBody?.content["application/json"];
  if (json !== undefined && doc.requests !== undefined) json.examples = named(doc.requests);
}

/** Adds examples, error codes by status and who may ask to what the routes' schemas say. */
export function completeOpenApi<Document extends OpenApiDocument>(document: Document): Document {
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const doc = ROUTE_DOCS[`${method.toUpperCase()} ${path}`];
      if (doc !== undefined) complete(method, operation, doc);
    }
  return document;
}
