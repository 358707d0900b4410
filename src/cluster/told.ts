import { ServiceError } from "../api/index.ts";
import { ClusterError, type ClusterErrorCode } from "./errors.ts";

const STATUS: Partial<Record<ClusterErrorCode, number>> = {
  CLUSTER_NODE_UNKNOWN: 404,
  CLUSTER_GROUPS_INVALID: 400,
  CLUSTER_LINK_INVALID: 400,
  CLUSTER_NODE_FAILED: 500,
  CLUSTER_START_FAILED: 500,
  CLUSTER_PROCESS_UNKNOWN: 500,
  CLUSTER_NOT_RUNNING: 503,
};

/** A cluster's error as an answer; the rest say that a node is in the wrong state. */
export async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const { code, message, details } = error;
    throw new ServiceError(code, STATUS[code] ?? 409, message, { details, cause: error });
  }
}
