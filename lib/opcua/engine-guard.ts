/** Answers of the address space where the library has none: it waits for ever, or accepts what it must not. */
import type { OPCUAServer, StatusCode } from 'node-opcua';
import type { Library } from './library';

type Engine = OPCUAServer['engine'];

export function guardEngine(library: Library, engine: Engine): void {
  const { DataValue, StatusCodes, VariantArrayType } = library;
  // As a plain number, which is what a request carries.
  const valueAttribute: number = library.AttributeIds.Value;

  const read = engine.read.bind(engine);
  engine.read = async (context, request) => {
    try {
      return await read(context, request);
    } catch {
      return (request.nodesToRead ?? []).map(() => new DataValue({ statusCode: StatusCodes.BadInternalError }));
    }
  };

  /** Part 4 §5.11.4: the library lets an array into a variable whose ValueRank says that it is none. */
  const isMisshapen = (node: Parameters<Engine['write']>[1][number]): boolean => {
    const { value } = node.value;
    if (node.attributeId !== valueAttribute || value.arrayType === VariantArrayType.Scalar) return false;
    const variable = engine.addressSpace?.findNode(node.nodeId);
    return variable !== null && variable !== undefined && 'valueRank' in variable && variable.valueRank === -1;
  };

  const write = engine.write.bind(engine);
  engine.write = async (context, nodesToWrite) => {
    const shaped = nodesToWrite.filter((node) => !isMisshapen(node));
    const results = shaped.length === 0 ? [] : await write(context, shaped);
    if (shaped.length === nodesToWrite.length) return results;
    const given = new Map<unknown, StatusCode | undefined>(shaped.map((node, index) => [node, results[index]]));
    return nodesToWrite.map((node) => given.get(node) ?? StatusCodes.BadTypeMismatch);
  };
}
