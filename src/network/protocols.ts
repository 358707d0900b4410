import { createIntroductions } from "./introductions.ts";
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
  const introductions = createIntroductions(deps);
  const context = createContext(deps, options, introductions.introduced);
  declareAnswers(context, handlers);
  const requesters = createRequesters(context);
  return {
    ...requesters,
    stop() {
      introductions.stop();
      requesters.stop();
    },
  };
}
