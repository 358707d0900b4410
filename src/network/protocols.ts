import { declareAnswers } from "./protocol-answers.ts";
import { createContext } from "./protocol-context.ts";
import { createRequesters } from "./protocol-requests.ts";
import type { ProtocolHandlers, Protocols, ProtocolsDeps, ProtocolsOptions } from "./protocol-types.ts";

/** Declares every protocol and topic; call it before the network starts. */
export function createProtocols(
  deps: ProtocolsDeps,
  options: ProtocolsOptions,
  handlers: ProtocolHandlers,
): Protocols {
  const context = createContext(deps, options);
  declareAnswers(context, handlers);
  return createRequesters(context);
}
