/**
 * The services of the address space, as clients that ask for much need them: served in turns with those that ask for
 * little, answered where the library waits for ever, and refused where it accepts what it must not.
 */
import type { OPCUAServer } from 'node-opcua';
import type { Clock } from '../../model';
import type { Library } from '../library';
import { inTurns } from './turns';

type Engine = OPCUAServer['engine'];

/** Elements of one relative path; no address space is as deep. */
const LONGEST_PATH = 1_000;
/** References in the answer to one Browse; more would take too long to be encoded. */
const MOST_REFERENCES = 20_000;

export function guardEngine(library: Library, engine: Engine, clock: Clock): void {
  const { DataValue, StatusCodes, VariantArrayType } = library;
  // As a plain number, which is what a request carries.
  const valueAttribute: number = library.AttributeIds.Value;

  const read = engine.read.bind(engine);
  engine.read = async (context, request) => {
    const nodes = request.nodesToRead ?? [];
    try {
      return await inTurns(clock, nodes, (nodesToRead) => read(context, { ...request, nodesToRead }));
    } catch {
      return nodes.map(() => new DataValue({ statusCode: StatusCodes.BadInternalError }));
    }
  };

  const { BrowseResult } = library;
  const browse = engine.browse.bind(engine);
  engine.browse = async (context, nodes) => {
    let found = 0;
    return inTurns(clock, nodes, async (part) => {
      // Part 4 §5.9.2: the client may ask for the rest by another call.
      if (found > MOST_REFERENCES)
        return part.map(() => new BrowseResult({ statusCode: StatusCodes.BadNoContinuationPoints }));
      const results = await browse(context, part);
      found += results.reduce((sum, { references }) => sum + (references?.length ?? 0), 0);
      return results;
    });
  };

  const translate = engine.translateBrowsePath.bind(engine);
  engine.translateBrowsePath = async (path) =>
    (path.relativePath.elements?.length ?? 0) > LONGEST_PATH
      ? new library.BrowsePathResult({ statusCode: StatusCodes.BadQueryTooComplex })
      : translate(path);
  engine.translateBrowsePaths = (paths) =>
    inTurns(clock, paths, (part) => Promise.all(part.map((path) => engine.translateBrowsePath(path))));

  /** Part 4 §5.11.4: the library lets an array into a variable whose ValueRank says that it is none. */
  const isMisshapen = (node: Parameters<Engine['write']>[1][number]): boolean => {
    const { value } = node.value;
    if (node.attributeId !== valueAttribute || value.arrayType === VariantArrayType.Scalar) return false;
    const variable = engine.addressSpace?.findNode(node.nodeId);
    return variable !== null && variable !== undefined && 'valueRank' in variable && variable.valueRank === -1;
  };

  const write = engine.write.bind(engine);
  engine.write = (context, nodesToWrite) =>
    inTurns(clock, nodesToWrite, async (part) => {
      const results = [];
      for (const node of part)
        results.push(...(isMisshapen(node) ? [StatusCodes.BadTypeMismatch] : await write(context, [node])));
      return results;
    });
}
