// node build.js WIT OUT: the component of parser.js, without any import.
import { writeFile } from 'node:fs/promises';

import { componentize } from '@bytecodealliance/componentize-js';

const [witPath, out] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: 'parser.js',
  witPath,
  worldName: 'header-parser',
  disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
});
await writeFile(out, component);
