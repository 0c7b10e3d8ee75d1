/** Runs an example of the import menu, as somebody who has just imported it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Credentials, coreNode, type FlowNode, startFlow } from './flow';
import { repositoryRoot } from './paths';

export interface ExampleNode extends FlowNode {
  readonly name?: string;
}

export interface Example {
  /** The node of a name that people see. */
  named(name: string): ExampleNode;
  /** The one node of a type. */
  ofType(type: string): ExampleNode;
}

export interface ExampleOptions {
  /** Paths of the core nodes that it needs. */
  readonly coreNodes: readonly string[];
  readonly userDir: string;
  /** What is entered in the form of a node, by its type. */
  readonly changes?: Readonly<Record<string, object>>;
  readonly credentials?: Readonly<Record<string, Credentials[string]>>;
}

/** {@link stopFlow} must follow. What the debug sidebar would show can be collected from nodes of type `helper`. */
export async function startExample(file: string, options: ExampleOptions): Promise<Example> {
  const { coreNodes, userDir, changes = {}, credentials = {} } = options;
  const nodes = JSON.parse(readFileSync(join(repositoryRoot, 'examples', file), 'utf8')) as ExampleNode[];
  const find = (what: string, fits: (candidate: ExampleNode) => boolean): ExampleNode => {
    const found = nodes.find(fits);
    assert.ok(found, what);
    return found;
  };
  const example: Example = {
    named: (name) => find(name, (candidate) => candidate.name === name),
    ofType: (type) => find(type, (candidate) => candidate.type === type),
  };
  await startFlow(
    nodes
      .filter(({ type }) => type !== 'tab' && type !== 'comment')
      .map(({ z: _, ...part }) => {
        const changed = { ...part, ...changes[part.type], ...(part.type === 'debug' ? { type: 'helper' } : {}) };
        return part.type === 'gateway-database' ? changed : { ...changed, z: 'tab' };
      }),
    {
      coreNodes: coreNodes.map(coreNode),
      userDir,
      credentials: Object.fromEntries(
        Object.entries(credentials).map(([type, secrets]) => [example.ofType(type).id, secrets]),
      ),
    },
  );
  return example;
}
