import type { Stream } from "@libp2p/interface";
import { NetworkError, type PeerName } from "../ports/index.ts";

/** Responses that peers have not read yet, of one peer and of all: whoever asks and does not read must not fill memory. */
const MAX_UNREAD_BYTES_PER_PEER = 16 * 1024 * 1024;
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** Bytes that wait in streams for peers to read them. */
export interface Unread {
  /**
   * Counts a response until the function it returns is called. Throws for a peer that has too much already. Where all
   * peers together have, the oldest response of the peer with the most gives way: it is not read as an honest one would.
   */
  hold(peer: PeerName, bytes: number, stream: Pick<Stream, "abort">): () => void;
}

interface Held {
  readonly peer: PeerName;
  readonly bytes: number;
  readonly stream: Pick<Stream, "abort">;
}

export function createUnread(): Unread {
  const all = new Set<Held>();

  function bytesPerPeer(): Map<PeerName, number> {
    const bytesOf = new Map<PeerName, number>();
    for (const { peer, bytes } of all) bytesOf.set(peer, (bytesOf.get(peer) ?? 0) + bytes);
    return bytesOf;
  }

  /** Makes room; false where the peer that asks for it has the most itself. */
  function dropOldestOfGreediest(askers: number): boolean {
    const bytesOf = bytesPerPeer();
    let found: Held | undefined;
    for (const held of all) {
      if ((bytesOf.get(held.peer) ?? 0) > (found === undefined ? 0 : (bytesOf.get(found.peer) ?? 0)))
        found = held;
    }
    if (found === undefined || (bytesOf.get(found.peer) ?? 0) < askers) return false;
    all.delete(found);
    found.stream.abort(new Error("its response was not read, and others ask"));
    return true;
  }

  return {
    hold(peer, bytes, stream) {
      const ofPeer = (bytesPerPeer().get(peer) ?? 0) + bytes;
      const fits = () => bytes + [...all].reduce((sum, held) => sum + held.bytes, 0) <= MAX_UNREAD_BYTES;
      if (ofPeer > MAX_UNREAD_BYTES_PER_PEER)
        throw new NetworkError("NETWORK_REFUSED", "too many bytes wait to be read");
      while (!fits()) {
        if (!dropOldestOfGreediest(ofPeer))
          throw new NetworkError("NETWORK_REFUSED", "too many bytes wait to be read");
      }
      const held = { peer, bytes, stream };
      all.add(held);
      return () => void all.delete(held);
    },
  };
}
