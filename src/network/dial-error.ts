import { NetworkError } from "../ports/index.ts";

/** Why a dial failed, in words for whoever gave the address: js-libp2p's own name its parts and calls. */
export function dialError(address: string, error: unknown): NetworkError {
  if (error instanceof NetworkError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const options = { cause: error };
  switch (name) {
    case "DialDeniedError":
    case "ConnectionInterceptedError":
      return new NetworkError("NETWORK_REFUSED", `the peer at ${address} is refused here`, options);
    case "NoValidAddressesError":
    case "TransportUnavailableError":
    case "InvalidMultiaddrError":
      return new NetworkError("NETWORK_ADDRESS_INVALID", `${address} cannot be dialled over TCP`, options);
    // Said only once the handshake has shown our own key.
    case "InvalidPeerIdError":
      return new NetworkError("NETWORK_ADDRESS_INVALID", `${address} is this node itself`, options);
    case "AbortError":
    case "TimeoutError":
      return new NetworkError("NETWORK_TIMEOUT", `nobody answered at ${address} in time`, options);
    case "EncryptionFailedError":
      return handshakeError(address, message, options);
    default:
      return new NetworkError(
        "NETWORK_DIAL_FAILED",
        `no connection to ${address}: ${socketProblem(error)}`,
        options,
      );
  }
}

function handshakeError(address: string, message: string, options: ErrorOptions): NetworkError {
  const found = /identity key (\S+) does not match expected/.exec(message)?.[1];
  return found === undefined
    ? new NetworkError(
        "NETWORK_DIAL_FAILED",
        `who answers at ${address} is no node, or hung up at once: there was no handshake`,
        options,
      )
    : new NetworkError(
        "NETWORK_OTHER_PEER",
        `another peer answers at ${address}: ${found}; use its name after /p2p/, or none to take whoever is there`,
        options,
      );
}

const SOCKET_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "the name could not be looked up",
  EHOSTUNREACH: "the machine cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  ETIMEDOUT: "the machine does not answer",
  ECONNRESET: "it hung up",
};

function socketProblem(error: unknown): string {
  const { code = "", message = String(error) } = (error ?? {}) as { code?: string; message?: string };
  return SOCKET_PROBLEMS[code] ?? message;
}
