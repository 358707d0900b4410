import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { ForMs, NoQuery, Shape, Strict } from "../api/index.ts";
import type { Fleet } from "./fleet.ts";
import { told } from "./told.ts";
import { MAX_NODES } from "./topology.ts";

const NodeNumber = Type.Integer({ minimum: 1, maximum: 1_000, description: "the number of a node" });

const SplitRequest = Strict({
  groups: Type.Array(Type.Array(NodeNumber, { maxItems: MAX_NODES }), {
    minItems: 1,
    maxItems: MAX_NODES,
    description: "a list of groups of nodes, such as [[1, 2], [3]]",
  }),
  names: Type.Optional(
    Type.Array(Type.String({ maxLength: 100 }), {
      maxItems: MAX_NODES,
      description: "a list of names, one for each group",
    }),
  ),
  forMs: ForMs,
});
type SplitRequest = Type.Static<typeof SplitRequest>;

const LinkChange = Strict({
  from: NodeNumber,
  to: NodeNumber,
  /** Absent, or without effect: whole. */
  shape: Type.Optional(Shape),
  forMs: ForMs,
});
type LinkChange = Type.Static<typeof LinkChange>;

const Ends = Strict({ from: Type.Optional(NodeNumber), to: Type.Optional(NodeNumber) });
type Ends = Type.Static<typeof Ends>;

/** What is done to the links between the nodes: splits, and links that are shaped. */
export function addLinkRoutes(app: FastifyInstance, fleet: Fleet): void {
  app.put<{ Body: SplitRequest }>(
    "/v1/cluster/split",
    {
      schema: {
        summary: "Cuts the cluster into groups, until DELETE or for a time",
        querystring: NoQuery,
        body: SplitRequest,
      },
    },
    ({ body: { groups, names = null, forMs } }) => told(fleet.cut({ groups, names }, forMs)),
  );
  app.delete(
    "/v1/cluster/split",
    { schema: { summary: "Joins all groups again; shaped links stay so", querystring: NoQuery } },
    async () => {
      await told(fleet.heal());
      return { split: null };
    },
  );
  app.put<{ Body: LinkChange }>(
    "/v1/cluster/links",
    {
      schema: {
        summary: "Shapes what one node sends to another, until DELETE or for a time",
        querystring: NoQuery,
        body: LinkChange,
      },
    },
    async ({ body: { from, to, shape = {}, forMs } }) => ({
      link: (await told(fleet.link(from, to, shape, forMs))) ?? null,
    }),
  );
  app.delete<{ Querystring: Ends }>(
    "/v1/cluster/links",
    { schema: { summary: "Makes links whole: one, all from or to a node, or all", querystring: Ends } },
    async ({ query: { from, to } }) => ({ healed: await told(fleet.unlink(from, to)) }),
  );
}
