import type { TSchema } from "typebox";
import { Check } from "typebox/value";
import { ServiceError } from "./service.ts";

type JsonSchema = {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly const?: unknown;
};

// Without Check's type guard: what fails a schema is not `never`, it is what we describe.
const fits = (schema: JsonSchema, value: unknown): boolean => Check(schema as TSchema, value);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function show(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The branch of a tagged union that the value claims to be, or the tags it could have had. */
function chooseBranch(branches: readonly JsonSchema[], value: unknown): JsonSchema | string {
  const tagOf = (branch: JsonSchema): string | undefined =>
    Object.keys(branch.properties ?? {}).find((key) => branch.properties?.[key]?.const !== undefined);
  const tag = branches.map(tagOf).find((key) => key !== undefined);
  if (tag === undefined)
    return branches.map((branch) => branch.description ?? branch.type ?? "").join(" or ");
  const given = isObject(value) ? value[tag] : undefined;
  const constants = branches.map((branch) => branch.properties?.[tag]?.const);
  return (
    branches[constants.indexOf(given)] ?? `${tag} must be one of ${constants.join(", ")}, not ${show(given)}`
  );
}

function objectProblem(schema: JsonSchema, value: unknown, path: string): string | undefined {
  const where = path === "" ? "the request" : path;
  if (!isObject(value))
    return `${where} must be ${schema.description ?? "a JSON object"}, not ${show(value)}`;
  const properties = schema.properties ?? {};
  const unknown = Object.keys(value).find((key) => !Object.hasOwn(properties, key));
  if (unknown !== undefined) {
    const allowed = Object.keys(properties).join(", ") || "none";
    return `unknown key ${show(unknown)}${path === "" ? "" : ` in ${path}`}; allowed: ${allowed}`;
  }
  for (const [key, property] of Object.entries(properties)) {
    if (value[key] === undefined && !(schema.required ?? []).includes(key)) continue;
    const problem = problemAt(property, value[key], path === "" ? key : `${path}.${key}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemAt(schema: JsonSchema, value: unknown, path: string): string | undefined {
  if (value !== undefined && fits(schema, value)) return undefined;
  if (schema.anyOf !== undefined) {
    const branch = chooseBranch(schema.anyOf, value);
    if (typeof branch !== "string") return problemAt(branch, value, path);
    return isObject(value)
      ? branch
      : `${path || "the request"} must be a JSON object with ${branch.split(" must")[0]}`;
  }
  if (schema.type === "object") return objectProblem(schema, value, path);
  if (schema.type === "array" && Array.isArray(value) && schema.items !== undefined) {
    if (
      value.length >= (schema.minItems ?? 0) &&
      value.length <= (schema.maxItems ?? Number.POSITIVE_INFINITY)
    ) {
      const { items } = schema;
      const at = value.findIndex((item) => !fits(items, item));
      if (at !== -1) return problemAt(items, value[at], `${path}[${at}]`);
    }
    return `${path} must be ${schema.description}, not ${value.length} items`;
  }
  return `${path} must be ${schema.description ?? schema.type ?? "something else"}, not ${show(value)}`;
}

/** One line that names the value and what is allowed; undefined where the value fits the schema. */
export function problemOf(schema: TSchema, value: unknown): string | undefined {
  return problemAt(schema as JsonSchema, value, "");
}

/** Text from the URL to what the schema wants: integers arrive as digits. What is no number stays text, and fails. */
function fromText(schema: JsonSchema, value: unknown): unknown {
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, text]) => {
    const type = schema.properties?.[key]?.type;
    const numeric = type === "integer" && typeof text === "string" && /^[0-9]{1,16}$/.test(text);
    return [key, numeric ? Number(text) : text] as const;
  });
  return Object.fromEntries(entries);
}

/** Fastify's validator: refuses with `REQUEST_INVALID` and one line. Nothing is coerced, defaulted or removed in a body. */
export function compileValidator({ schema, httpPart }: { schema: unknown; httpPart?: string | undefined }) {
  return (data: unknown): { value: unknown } | { error: Error } => {
    const value = httpPart === "body" ? data : fromText(schema as JsonSchema, data);
    const problem = problemOf(schema as TSchema, value);
    return problem === undefined ? { value } : { error: new ServiceError("REQUEST_INVALID", 400, problem) };
  };
}
