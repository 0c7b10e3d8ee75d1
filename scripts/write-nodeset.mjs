// Writes nodesets/Lorua.Model.NodeSet2.xml from the program's own types (after a build).
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { exportModel } = await import(join(root, process.argv[2] ?? 'dist', 'lib', 'opcua', 'nodeset.js'));
mkdirSync(join(root, 'nodesets'), { recursive: true });
writeFileSync(join(root, 'nodesets', 'Lorua.Model.NodeSet2.xml'), await exportModel());
