import type { MultiaddrConnection, Transport } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { createLinkShapeTable, type HeldBytesDeps, type LinkShapes, type PeerName } from "../ports/index.ts";
import { type ShapedConnection, shapeConnection } from "./shaped-connection.ts";

/** Shapes the bytes of each TCP connection below noise, by the peer at its other end. Outlives connections. */
export interface Conditioner {
  /** TCP whose dials to a peer behind a dead line wait, as those into a pulled cable do, until it lives or they time out. */
  transport(components: Parameters<ReturnType<typeof tcp>>[0]): Transport;
  /** In place of what was before, at once on all connections with the peer. Undefined: whole. */
  shape(peer: PeerName, shapes: LinkShapes | undefined): void;
  /** Who is at the other end of a connection: from now on it is shaped as that peer's are. */
  named(connection: MultiaddrConnection, peer: PeerName): void;
  /** Whether nothing gets through to the peer, or from it: then no connection can be made. */
  isDead(peer: PeerName): boolean;
  /** Bytes that sockets with peers have taken and given since the start, noise and all. Never goes down. */
  bytes(): TcpBytes;
}

export interface TcpBytes {
  readonly in: number;
  readonly out: number;
}

/** The socket of js-libp2p's TCP connection, which counts by itself. Its public interface leaves it out. */
interface WithSocket {
  readonly socket: { readonly bytesRead: number; readonly bytesWritten: number };
}

interface Named {
  readonly connection: MultiaddrConnection;
  shaped: ShapedConnection | undefined;
}

export function createConditioner(deps: HeldBytesDeps): Conditioner {
  const shapes = createLinkShapeTable();
  const connections = new Map<PeerName, Map<MultiaddrConnection, Named>>();
  /** Of connections that have ended. */
  let ended: TcpBytes = { in: 0, out: 0 };

  function withBytesOf(sum: TcpBytes, connection: MultiaddrConnection): TcpBytes {
    const { bytesRead, bytesWritten } = (connection as unknown as WithSocket).socket;
    return { in: sum.in + bytesRead, out: sum.out + bytesWritten };
  }

  function shapeNamed(named: Named, wanted: LinkShapes | undefined): void {
    if (named.shaped !== undefined) named.shaped.shape(wanted ?? {});
    else if (wanted !== undefined) named.shaped = shapeConnection(deps, named.connection, wanted);
  }

  return {
    transport(components) {
      const transport = tcp()(components);
      const dial = transport.dial.bind(transport);
      return Object.assign(transport, {
        dial: async (...[address, options]: Parameters<Transport["dial"]>) => {
          const peer = address.getComponents().findLast(({ name }) => name === "p2p")?.value;
          if (peer !== undefined) await shapes.whenAlive(peer, options.signal);
          return dial(address, options);
        },
      });
    },
    shape(peer, wanted) {
      shapes.set(peer, wanted);
      for (const named of connections.get(peer)?.values() ?? []) shapeNamed(named, wanted);
    },
    named(connection, peer) {
      const ofPeer = connections.get(peer) ?? new Map<MultiaddrConnection, Named>();
      if (connection.status !== "open" || ofPeer.has(connection)) return;
      connections.set(peer, ofPeer);
      const named: Named = { connection, shaped: undefined };
      ofPeer.set(connection, named);
      connection.addEventListener(
        "close",
        () => {
          ended = withBytesOf(ended, connection);
          ofPeer.delete(connection);
          if (ofPeer.size === 0) connections.delete(peer);
        },
        { once: true },
      );
      shapeNamed(named, shapes.of(peer));
    },
    isDead: shapes.isDead,
    bytes: () => [...connections.values()].flatMap((ofPeer) => [...ofPeer.keys()]).reduce(withBytesOf, ended),
  };
}
