/** The editor's global object, in the scripts that run in the browser. */
import type { EditorRED } from 'node-red';

declare global {
  const RED: EditorRED;
}
