/**
 * A script: writes what is generated from the schema and the catalogue of errors. Run by `npm run generate`; a test fails
 * while the files in the tree are not what this writes.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { generatedFiles } from './generated-files.ts';

const root = new URL('../../', import.meta.url);
for (const [path, text] of generatedFiles()) writeFileSync(new URL(path, root), text);
