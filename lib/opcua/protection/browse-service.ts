/**
 * The Browse service (Part 4 §5.9.2) for clients that ask for much: found and encoded in turns with those that ask for
 * little. The library copies each reference three times and encodes all of them at once; and it refuses all nodes when
 * the continuation points are used up, also those that need none.
 */
import type { BrowseDescription, BrowseResponse, BrowseResult, OPCUAServer, ServerSession } from 'node-opcua';
import type { Clock } from '../../model';
import type { Library } from '../library';
import { encodedInTurns, FEW_ELEMENTS } from './encoded-elements';
import { Turns } from './turns';

type Engine = OPCUAServer['engine'];
type StatusCode = BrowseResult['statusCode'];

/** References in the answer to one Browse of several nodes: they have to fit into a message. */
const MOST_REFERENCES = 20_000;

/** @returns the answer, or why the request is refused as a whole */
export type BrowseService = (
  engine: Engine,
  session: ServerSession,
  nodes: readonly BrowseDescription[],
  most: number,
) => Promise<BrowseResponse | StatusCode>;

export function browseService(library: Library, clock: Clock): BrowseService {
  const { BrowseResponse, BrowseResult, StatusCodes } = library;

  /** Gives the client what it asks for at most; the rest waits for BrowseNext. */
  function cut(engine: Engine, session: ServerSession, result: BrowseResult, most: number): BrowseResult {
    const { references } = result;
    if (most === 0 || references === null || references.length <= most) return result;
    const { continuationPointManager: points } = session;
    // Part 4 §7.9: only what needs a point is refused when there are none.
    if (points.hasReachedMaximum(engine.serverCapabilities.maxBrowseContinuationPoints))
      return new BrowseResult({ statusCode: StatusCodes.BadNoContinuationPoints });
    const { continuationPoint, values } = points.registerReferences(most, references, { continuationPoint: null });
    if (continuationPoint !== undefined) result.continuationPoint = continuationPoint;
    result.references = values;
    return result;
  }

  return async (engine, session, nodes, most) => {
    const { continuationPointManager: points } = session;
    // Part 4 §7.9: Browses that were left unfinished give way to new ones.
    if (points.hasReachedMaximum(engine.serverCapabilities.maxBrowseContinuationPoints)) points.clear();
    const turns = new Turns(clock);
    const results: BrowseResult[] = [];
    let found = 0;
    for (const node of nodes) {
      // Part 4 §5.9.2: the client may ask for the rest by another call.
      if (found > MOST_REFERENCES) {
        results.push(new BrowseResult({ statusCode: StatusCodes.BadNoContinuationPoints }));
        continue;
      }
      const [whole] = await engine.browseWithAutomaticExpansion([node], session.sessionContext);
      if (whole === undefined) return StatusCodes.BadInternalError;
      const result = cut(engine, session, whole, most);
      found += result.references?.length ?? 0;
      results.push(result);
      await turns.next();
      if (session.status !== 'active') return StatusCodes.BadSessionClosed;
    }
    if (found > FEW_ELEMENTS)
      for (const result of results)
        if (result.references)
          Reflect.set(result, 'references', await encodedInTurns(library, result.references, turns));
    if (session.status !== 'active') return StatusCodes.BadSessionClosed;
    const response = new BrowseResponse({ results: [] });
    // The constructor would copy them.
    response.results = results;
    return response;
  };
}
