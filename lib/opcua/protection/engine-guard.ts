/**
 * The services of the address space, as clients that ask for much need them: served in turns with those that ask for
 * little, answered where the library waits for ever, and refused where it accepts what it must not.
 */
import type { OPCUAServer } from 'node-opcua';
import type { Clock } from '../../model';
import type { Library } from '../library';
import { inTurns, PART } from './turns';

type Engine = OPCUAServer['engine'];

export function guardEngine(library: Library, engine: Engine, clock: Clock): void {
  const { DataValue, StatusCodes, VariantArrayType } = library;
  // As a plain number, which is what a request carries.
  const valueAttribute: number = library.AttributeIds.Value;

  const read = engine.read.bind(engine);
  engine.read = async (context, request) => {
    const nodes = request.nodesToRead ?? [];
    try {
      if (nodes.length <= PART) return await read(context, request);
      return await inTurns(clock, nodes, (nodesToRead) => read(context, { ...request, nodesToRead }));
    } catch {
      return nodes.map(() => new DataValue({ statusCode: StatusCodes.BadInternalError }));
    }
  };

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
