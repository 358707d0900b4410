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
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
};

// Without Check's type guard: what fails a schema is not `never`, it is what we describe.
export const fits = (schema: unknown, value: unknown): boolean => Check(schema as TSchema, value);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function show(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** What is wrong with a value: a line for people, and the same for programs. */
export interface Problem {
  readonly message: string;
  /** Where (`at`), the value if it is short, and what is allowed as far as it is a list or a range. */
  readonly details: Readonly<Record<string, unknown>>;
}

const BOUNDS = ["minimum", "exclusiveMinimum", "maximum", "minItems", "maxItems", "pattern"] as const;

function wrong(schema: JsonSchema, value: unknown, path: string, message: string): Problem {
  const shown = value === undefined || show(value).endsWith("...") ? {} : { value };
  const bounds = BOUNDS.filter((name) => schema[name] !== undefined).map((name) => [name, schema[name]]);
  const allowed = schema.const === undefined ? {} : { allowed: [schema.const] };
  return { message, details: { at: path, ...shown, ...allowed, ...Object.fromEntries(bounds) } };
}

/** The branch of a tagged union that the value claims to be, or what its tag could have been. */
function chooseBranch(
  branches: readonly JsonSchema[],
  value: unknown,
  path: string,
): { readonly branch: JsonSchema } | { readonly problem: Problem } {
  const tagOf = (branch: JsonSchema): string | undefined =>
    Object.keys(branch.properties ?? {}).find((key) => branch.properties?.[key]?.const !== undefined);
  const tag = branches.map(tagOf).find((key) => key !== undefined);
  const where = path || "the request";
  if (tag === undefined) {
    const kinds = branches.map((branch) => branch.description ?? branch.type ?? "").join(" or ");
    return { problem: wrong({}, value, path, `${where} must be ${kinds}, not ${show(value)}`) };
  }
  if (!isObject(value))
    return {
      problem: wrong({}, value, path, `${where} must be a JSON object with ${tag}, not ${show(value)}`),
    };
  const allowed = branches.map((branch) => branch.properties?.[tag]?.const);
  const branch = branches[allowed.indexOf(value[tag])];
  if (branch !== undefined) return { branch };
  const message = `${tag} must be one of ${allowed.join(", ")}, not ${show(value[tag])}`;
  const { details } = wrong({}, value[tag], path === "" ? tag : `${path}.${tag}`, message);
  return { problem: { message, details: { ...details, allowed } } };
}

function objectProblem(schema: JsonSchema, value: unknown, path: string): Problem | undefined {
  const where = path === "" ? "the request" : path;
  if (!isObject(value)) {
    const message = `${where} must be ${schema.description ?? "a JSON object"}, not ${show(value)}`;
    return wrong({}, value, path, message);
  }
  const properties = schema.properties ?? {};
  const unknown = Object.keys(value).find((key) => !Object.hasOwn(properties, key));
  if (unknown !== undefined) {
    const allowed = Object.keys(properties);
    const inside = path === "" ? "" : ` in ${path}`;
    const message = `unknown key ${show(unknown)}${inside}; allowed: ${allowed.join(", ") || "none"}`;
    return { message, details: { at: path, unknown: unknown.slice(0, 80), allowed } };
  }
  for (const [key, property] of Object.entries(properties)) {
    if (value[key] === undefined && !(schema.required ?? []).includes(key)) continue;
    const problem = problemAt(property, value[key], path === "" ? key : `${path}.${key}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemAt(schema: JsonSchema, value: unknown, path: string): Problem | undefined {
  if (value !== undefined && fits(schema, value)) return undefined;
  if (schema.anyOf !== undefined) {
    const chosen = chooseBranch(schema.anyOf, value, path);
    return "problem" in chosen ? chosen.problem : problemAt(chosen.branch, value, path);
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
    const message = `${path} must be ${schema.description}, not ${value.length} items`;
    return wrong(schema, undefined, path, message);
  }
  const rule = schema.description ?? schema.type ?? "something else";
  return wrong(schema, value, path, `${path} must be ${rule}, not ${show(value)}`);
}

/** Refuses a value that does not fit the schema, with `REQUEST_INVALID`. */
export function check(schema: TSchema, value: unknown): void {
  const problem = problemAt(schema as JsonSchema, value, "");
  if (problem !== undefined) throw invalidRequest(problem.message, problem.details);
}

export function invalidRequest(message: string, details: Problem["details"] = {}): ServiceError {
  return new ServiceError("REQUEST_INVALID", 400, message, { details });
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
    const problem = problemAt(schema as JsonSchema, value, "");
    return problem === undefined ? { value } : { error: invalidRequest(problem.message, problem.details) };
  };
}
