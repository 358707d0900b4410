/**
 * Frames: unsigned varint length, then that many bytes; one frame each way on a stream. Nothing is ever allocated by a
 * claimed length: memory follows the bytes that really arrived.
 */

/** 4 bytes of 7 bits carry lengths below 2^28 (268 MB), far above every limit in this project. */
const MAX_VARINT_BYTES = 4;
const FIRST_BUFFER_BYTES = 4096;

export type FrameFault = "oversize" | "malformed";

/** The unsigned varint of a length below 2^28. */
export function encodeLength(length: number): Uint8Array {
  if (!Number.isSafeInteger(length) || length < 0 || length >= 2 ** (7 * MAX_VARINT_BYTES)) {
    throw new RangeError(`a frame cannot hold ${length} bytes`);
  }
  const bytes: number[] = [];
  let rest = length;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** Collects one frame from chunks of any size. */
export interface FrameReader {
  /** Takes the next bytes: nothing yet, the payload (which the caller owns), or what is wrong with them. */
  push(chunk: Uint8Array): Uint8Array | FrameFault | undefined;
  /** Bytes taken so far. */
  readonly receivedBytes: number;
}

/** A reader of one frame of at most `maxBytes`. After a payload or a fault it must not be used again. */
export function createFrameReader(maxBytes: number): FrameReader {
  // Grown by doubling up to the claimed length. A list of chunks would let a peer that sends single bytes make us hold
  // an object for each.
  let payload = new Uint8Array(0);
  let payloadBytes = 0;
  let receivedBytes = 0;
  let length = 0;
  let varintBytes = 0;
  let lengthKnown = false;

  /** Returns how many bytes of the chunk belong to the length. */
  function takeLength(chunk: Uint8Array): number | FrameFault {
    let taken = 0;
    for (const byte of chunk) {
      taken++;
      length += (byte & 0x7f) * 2 ** (7 * varintBytes++);
      if (byte < 0x80) {
        // The shortest form only, so that one payload has one frame.
        if (byte === 0 && varintBytes > 1) return "malformed";
        lengthKnown = true;
        return length > maxBytes ? "oversize" : taken;
      }
      if (varintBytes === MAX_VARINT_BYTES) return "malformed";
    }
    return taken;
  }

  function append(chunk: Uint8Array): void {
    const needed = payloadBytes + chunk.length;
    if (needed > payload.length) {
      const grown = new Uint8Array(
        Math.min(length, Math.max(needed, 2 * payload.length, FIRST_BUFFER_BYTES)),
      );
      grown.set(payload.subarray(0, payloadBytes));
      payload = grown;
    }
    payload.set(chunk, payloadBytes);
    payloadBytes = needed;
  }

  return {
    get receivedBytes() {
      return receivedBytes;
    },
    push(chunk) {
      receivedBytes += chunk.length;
      let rest = chunk;
      if (!lengthKnown) {
        const taken = takeLength(chunk);
        if (typeof taken !== "number") return taken;
        if (!lengthKnown) return undefined;
        rest = chunk.subarray(taken);
      }
      if (payloadBytes + rest.length > length) return "malformed";
      append(rest);
      return payloadBytes === length ? payload : undefined;
    },
  };
}
